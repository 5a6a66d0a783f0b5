"""Time and chance."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class World:
    """What the client asks of the world around it.

    Attributes:
        monotonic: seconds since some moment.
        wall: seconds since the epoch.
        chance: a number in [0, 1).
        sleep: waits so many seconds.
        asleep: the same for asyncio.
    """

    monotonic: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
    chance: Callable[[], float] = random.random
    sleep: Callable[[float], None] = time.sleep
    asleep: Callable[[float], Awaitable[None]] = asyncio.sleep
