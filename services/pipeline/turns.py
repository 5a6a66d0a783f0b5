"""Whose turn it is: few run, few wait, the next is told at once that there is no room.

Two kinds of inquiry, by what they cost. Each has a queue of its own, and they take turns, so that a crowd of dear
inquiries leaves the cheap ones every other place.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from facesocial.configuration import AdmissionSettings
from facesocial.errors import Overloaded
from services.pipeline.inquiry import Cost

MOST_RETRY_S: Final = 30
"""Nobody is told to stay away longer: what waits now is gone by then, or its deadline is."""

FRESH: Final = 0.2
"""Weight of the last duration in the mean."""

Watch = Callable[[Cost, int], None]
"""Told how many wait, whenever that changes."""


@dataclass(slots=True)
class _Queue:
    places: int
    room: int
    running: int = 0
    seconds: float = 0.0
    """Mean duration of the last ones."""
    waiting: deque[asyncio.Future[None]] = field(default_factory=deque)


class Turns:
    """Of one event loop. `places` run at the same time, whatever their cost.

    Args:
        settings: for each cost, how many run and how many wait.
        places: threads there are.
        watch: for a gauge.
    """

    def __init__(self, settings: AdmissionSettings, places: int, watch: Watch = lambda _, __: None) -> None:
        self._places = places
        self._watch = watch
        self._queues = {
            Cost.LIGHT: _Queue(settings.light_running or places, settings.light_waiting),
            Cost.HEAVY: _Queue(settings.heavy_running or places, settings.heavy_waiting),
        }
        self._order = deque(Cost)
        """Who began last stands last."""

    async def enter(self, cost: Cost) -> None:
        """Returns when it is this one's turn; `leave` must follow.

        Raises:
            Overloaded: as many wait as may.
        """
        queue = self._queues[cost]
        if not queue.waiting and self._room(queue):
            self._begin(cost)
            return
        ahead = len(queue.waiting)
        if ahead >= queue.room:
            words = f"no room for another {cost} request: this would be number {ahead + 1} in the queue"
            raise Overloaded(words, self._retry_after(queue))
        turn = asyncio.get_running_loop().create_future()
        queue.waiting.append(turn)
        self._watch(cost, len(queue.waiting))
        try:
            await turn
        except asyncio.CancelledError:
            if turn in queue.waiting:
                queue.waiting.remove(turn)
                self._watch(cost, len(queue.waiting))
            elif not turn.cancelled():  # was called up in the same moment
                self.leave(cost, queue.seconds)
            raise

    def leave(self, cost: Cost, seconds: float) -> None:
        """The work is done, whoever still waits for it; it took so long."""
        queue = self._queues[cost]
        queue.running -= 1
        queue.seconds += (seconds - queue.seconds) * (FRESH if queue.seconds else 1)
        self._call_up()

    def _begin(self, cost: Cost) -> None:
        self._queues[cost].running += 1
        self._order.remove(cost)
        self._order.append(cost)

    def _room(self, queue: _Queue) -> bool:
        running = sum(each.running for each in self._queues.values())
        return running < self._places and queue.running < queue.places

    def _call_up(self) -> None:
        for cost in tuple(self._order):
            queue = self._queues[cost]
            gone = [turn for turn in queue.waiting if turn.cancelled()]  # and do not know it yet
            for turn in gone:
                queue.waiting.remove(turn)
            if gone:
                self._watch(cost, len(queue.waiting))
            if queue.waiting and self._room(queue):
                queue.waiting.popleft().set_result(None)
                self._begin(cost)
                self._watch(cost, len(queue.waiting))
                self._call_up()  # there may be room for another
                return

    def _retry_after(self, queue: _Queue) -> int:
        """Until half of those who wait now have had their turn, whole seconds."""
        seconds = len(queue.waiting) / 2 * queue.seconds / queue.places
        return min(MOST_RETRY_S, max(1, math.ceil(seconds)))
