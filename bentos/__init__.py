"""Who runs in which process: the entry service, its composition, the server's settings."""
