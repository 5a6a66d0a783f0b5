"""Who runs next on a card that several zones want at once."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from vram_policy.zones import RANK, Zone

AGING: Final = 1.0
"""Seconds after which whoever waits goes before everybody."""


class Waiter:
    """Somebody in the queue: since when, and whether its turn has come."""

    def __init__(self, zone: Zone, since: float) -> None:
        self.zone: Final = zone
        self.since: Final = since
        self.called: Final = threading.Event()


class Queue:
    """The order of those who wait: who has aged, the longest first; then the higher zone; then who came first.

    Pure, but for the events that it only carries. Not thread-safe.
    """

    def __init__(self, aging: float) -> None:
        self._aging = aging
        self._lines: dict[Zone, deque[Waiter]] = {zone: deque() for zone in sorted(RANK, key=lambda zone: -RANK[zone])}

    def join(self, waiter: Waiter) -> None:
        """At the end of its zone's line."""
        self._lines[waiter.zone].append(waiter)

    def leave(self, waiter: Waiter) -> None:
        """It waits no more."""
        self._lines[waiter.zone].remove(waiter)

    def call(self, now: float) -> Waiter | None:
        """Take out whose turn it is; None: nobody waits."""
        heads = [line[0] for line in self._lines.values() if line]
        if not heads:
            return None
        oldest = min(heads, key=lambda waiter: waiter.since)
        chosen = oldest if now - oldest.since >= self._aging else heads[0]
        return self._lines[chosen.zone].popleft()


class Turnstile:
    """Lets `slots` through at a time: critical before high before flexible, and nobody waits for ever.

    Whoever leaves hands the slot to the next in line, so nothing polls and no wake-up is lost.

    Args:
        slots: how many may be inside.
        aging: seconds after which whoever waits goes before everybody. With one waiter of the lowest zone the longest
            wait is `aging` and a run; each further one that aged before it adds a run.
        clock: seconds that do not go back.
    """

    def __init__(self, slots: int, aging: float = AGING, clock: Callable[[], float] = time.monotonic) -> None:
        self._free = slots
        self._clock = clock
        self._queue = Queue(aging)
        self._lock = threading.Lock()

    @contextmanager
    def turn(self, zone: Zone) -> Iterator[None]:
        """Wait for a slot, and hold it until the block ends."""
        self._enter(zone)
        try:
            yield
        finally:
            self._leave()

    def _enter(self, zone: Zone) -> None:
        with self._lock:
            if self._free:  # nobody waits then: a slot is handed on while somebody does
                self._free -= 1
                return
            waiter = Waiter(zone, self._clock())
            self._queue.join(waiter)
        try:
            waiter.called.wait()
        except BaseException:  # Ctrl-C: the slot may have been handed over at the same moment
            with self._lock:
                if not waiter.called.is_set():
                    self._queue.leave(waiter)
                    raise
            self._leave()
            raise

    def _leave(self) -> None:
        with self._lock:
            following = self._queue.call(self._clock())
            if following is None:
                self._free += 1
            else:
                following.called.set()
