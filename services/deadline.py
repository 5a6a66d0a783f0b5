"""How long a caller waits."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from facesocial.errors import DeadlineExceeded

T = TypeVar("T")


async def within(seconds: float, work: Awaitable[T]) -> T:
    """The result of `work`, which is cancelled when the time is up.

    Raises:
        DeadlineExceeded: it took longer.
    """
    try:
        return await asyncio.wait_for(work, seconds)
    except TimeoutError as error:
        raise DeadlineExceeded(f"no answer within {seconds:g} s") from error
