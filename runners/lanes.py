"""The threads that run networks on a card: two of them in a process, and a line before them.

Each thread that calls Run makes cuDNN and cuBLAS handles of its own for each session, so all runs go through these.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from typing import Final, TypeVar

from vram_policy.turnstile import Turnstile
from vram_policy.zones import Zone

Result = TypeVar("Result")

THREADS: Final = 2
"""One computes while the other copies; more only add handles."""


AGAIN_SECONDS: Final = 0.001
"""Between two tries to get the other thread, which a long run may hold."""


class Lanes:
    """Of one card in this process. A turn of the turnstile is a free lane: no run ever queues behind another."""

    def __init__(self, name: str, threads: int = THREADS) -> None:
        self._lanes = [ThreadPoolExecutor(1, thread_name_prefix=f"{name}-{number}") for number in range(threads)]
        self._free: SimpleQueue[ThreadPoolExecutor] = SimpleQueue()
        for lane in self._lanes:
            self._free.put(lane)
        self._turnstile = Turnstile(threads)

    def run(self, zone: Zone, work: Callable[[], Result]) -> Result:
        """`work` on one of the card's threads, when the zone's turn has come."""
        with self._turnstile.turn(zone):
            lane = self._free.get()
            try:
                return lane.submit(work).result()
            finally:
                self._free.put(lane)

    def everywhere(self, work: Callable[[], object]) -> None:
        """`work` once on each thread, one after the other, last in the line: requests go before what is a load's."""
        missing = set(self._lanes)
        while missing:
            with self._turnstile.turn("flexible"):
                lane = self._free.get()
                try:
                    if lane in missing:
                        lane.submit(work).result()
                        missing.remove(lane)
                finally:
                    self._free.put(lane)
            time.sleep(AGAIN_SECONDS)


_lanes: dict[int, Lanes] = {}
_lock = threading.Lock()


def lanes(ordinal: int) -> Lanes:
    """Of the card that CUDA calls by this number in this process."""
    with _lock:
        if ordinal not in _lanes:
            _lanes[ordinal] = Lanes(f"cuda:{ordinal}")
        return _lanes[ordinal]
