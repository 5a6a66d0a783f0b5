"""Whether and when to ask again."""

from __future__ import annotations

import ssl
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final

import httpx

from facesocial_client.errors import FaceSocialError, RateLimited

FIRST_S: Final = 0.25
"""Longest pause before the second attempt, where the service names none."""

LONGEST_S: Final = 8.0
"""Longest of those pauses."""


def promising(error: FaceSocialError) -> bool:
    """Whether the same request may fare better in a moment.

    To ask has no effect on the service, so a request may be sent again when its answer did not come. A 503 without
    `Retry-After` is meant to last: the model is not installed. So is what TLS says of a certificate or a version.
    """
    cause = error.__cause__
    if isinstance(cause, httpx.NetworkError | httpx.RemoteProtocolError):
        return not _refused_by_tls(cause)
    return isinstance(error, RateLimited) or (error.status == 503 and error.retry_after is not None)


def _refused_by_tls(cause: httpx.TransportError) -> bool:
    """Whether one side refused the other; `ssl`'s other kinds of error mean that the connection broke."""
    inner = cause.__cause__  # httpcore's: what it stands for is its context, for its cause is cut off on the way
    return inner is not None and type(inner.__context__) in (ssl.SSLError, ssl.SSLCertVerificationError)


def backoff(attempt: int, chance: float) -> float:
    """Seconds to pause after failure number `attempt`, from 0: twice as long each time, and not all callers at once."""
    return float(min(LONGEST_S, FIRST_S * 2.0 ** min(attempt, 30)) * (0.5 + chance / 2))


def retry_after(header: str | None, now: float) -> float | None:
    """Seconds from `now`, seconds since the epoch. The header holds seconds or a date (RFC 9110, section 10.2.3).

    None: it is missing, or nonsense.
    """
    if header is None:
        return None
    if header.isascii() and header.isdigit():
        return float(header)
    try:
        moment = parsedate_to_datetime(header)
    except (ValueError, OverflowError):
        return None
    return max(0.0, (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - now)
