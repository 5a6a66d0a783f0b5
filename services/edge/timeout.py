"""How long a caller wants to wait."""

from __future__ import annotations

import re
from typing import Final

from starlette.datastructures import Headers

from facesocial.errors import InvalidParameter
from services.deadline import Deadline

TIMEOUT: Final = "X-Timeout-Ms"
"""A caller's own deadline, in milliseconds; it only shortens ours."""


def deadline_of(headers: Headers, most_ms: int) -> Deadline:
    """From now on.

    Raises:
        InvalidParameter: the caller's own is no number of milliseconds.
    """
    given = headers.getlist(TIMEOUT)
    if not given:
        return Deadline.after(most_ms / 1000)
    if len(given) > 1 or not re.fullmatch(r"[1-9][0-9]{0,8}", given[0]):
        raise InvalidParameter(f"{TIMEOUT}: one whole number of milliseconds, at least 1")
    return Deadline.after(min(most_ms, int(given[0])) / 1000)
