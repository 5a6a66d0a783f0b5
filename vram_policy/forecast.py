"""How often a model will be asked for, from how often it was: two memories, each trusted as far as it foretold well.

A short memory follows bursts, and takes noise for news where requests are few; a long one is the reverse. Each is an
exponentially decayed count, taken as the rate of a Poisson process. How likely each held what then came, the requests
and the silences between them, is its merit, and the forecast is their mean by merit (Bayesian model averaging, past
merits fading). In the contest it gains on everything that is steady and loses nothing on bursts: docs/benchmarks.md.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Final

MEMORIES: Final = (30.0, 300.0)
"""Seconds: four of the first make the horizon of `plan.Rules` (design §3)."""

YOUNG: Final = 30.0
"""Seconds that a count has lasted at least: one request in the first second is not one each second."""

FADING: Final = 0.98
"""What merits are worth one request later."""

SELDOM: Final = 1 / 3600
"""Requests a second that no memory thinks impossible; keeps merits finite."""


@dataclass(slots=True)
class Forecast:
    """Of one model. Times and ages are seconds; `age` is the time since anything was counted at all."""

    _counts: list[float] = field(default_factory=lambda: [0.0, 0.0])
    _moment: float = 0.0
    _merit: float = 0.0  # of the first memory over the second, logarithm of odds

    def observe(self, now: float, age: float) -> None:
        """One request."""
        if self._counts[0]:
            (first, second), silence = self._look(now, age)
            self._merit = FADING * self._merit + math.log((first + SELDOM) / (second + SELDOM)) + silence
        elapsed = now - self._moment
        self._counts = [
            count * math.exp(-elapsed / memory) + 1.0 for count, memory in zip(self._counts, MEMORIES, strict=True)
        ]
        self._moment = now

    def rate(self, now: float, age: float, apart: int = 0) -> float:
        """Requests per second from now on, as if the last `apart` requests had not been."""
        (first, second), silence = self._look(now, age, apart)
        odds = math.exp(min(50.0, self._merit + silence))
        return (odds * first + second) / (odds + 1.0)

    def _look(self, now: float, age: float, apart: int = 0) -> tuple[list[float], float]:
        """What each memory says now, and what the silence since the last request adds to the first one's merit."""
        elapsed = max(0.0, now - self._moment)
        rates, expected = [], []
        for count, memory in zip(self._counts, MEMORIES, strict=True):
            rest = math.exp(-elapsed / memory)
            full = memory * (1 - math.exp(-max(age, YOUNG) / memory))  # of one request a second, by now
            rates.append(max(0.0, count - apart) * rest / full)
            expected.append(count * (1 - rest) * memory / full)
        return rates, expected[1] - expected[0]
