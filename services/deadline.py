"""How long a caller waits."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import TypeVar

from facesocial.errors import DeadlineExceeded

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Deadline:
    """When a caller stops waiting.

    Attributes:
        at: on the monotonic clock, the same in each process of this machine; seconds.
        seconds: how far that was away when the request came.
    """

    at: float
    seconds: float

    @classmethod
    def after(cls, seconds: float) -> Deadline:
        """So long from now."""
        return cls(time.monotonic() + seconds, seconds)

    async def bound(self, work: Awaitable[T]) -> T:
        """The result of `work`, which is cancelled when the time is up.

        Raises:
            DeadlineExceeded: it took longer.
        """
        try:
            return await asyncio.wait_for(work, self.at - time.monotonic())
        except TimeoutError as error:
            raise DeadlineExceeded(f"timeout expired: no answer within {self.seconds:g} s") from error
