"""The policy in virtual time: traces of requests, replayed against any policy and compared with the best possible."""
