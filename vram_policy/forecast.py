"""How often a model will be asked for, from how often it was: memories, each trusted as far as it foretold well.

A short memory follows bursts, and takes noise for news where requests are few; a long one is the reverse. Each is an
exponentially decayed count, taken as the rate of a Poisson process. How likely each held what then came, the requests
and the silences between them, is its merit, and the forecast is their mean by merit (Bayesian model averaging, past
merits fading). What this gains over one memory: docs/benchmarks.md.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

MEMORIES: Final = (15.0, 60.0, 300.0)
"""Seconds."""

YOUNG: Final = 30.0
"""Seconds that a count has lasted at least: one request in the first second is not one each second."""

FADING: Final = 0.98
"""What merits are worth one request later."""

SELDOM: Final = 1 / 3600
"""Requests a second that no memory thinks impossible; keeps merits finite."""


@dataclass(slots=True)
class Forecast:
    """Of one model. Times and ages are seconds; `age` is the time since anything was counted at all."""

    _counts: Sequence[float] = (0.0,) * len(MEMORIES)
    _merits: Sequence[float] = (0.0,) * len(MEMORIES)  # logarithms of how likely each held what came
    _moment: float = 0.0

    def observe(self, now: float, age: float) -> None:
        """One request."""
        if self._counts[0]:
            rates, merits = self._look(now, age)
            self._merits = [FADING * merit + math.log(rate + SELDOM) for rate, merit in zip(rates, merits, strict=True)]
        elapsed = now - self._moment
        self._counts = [
            count * math.exp(-elapsed / memory) + 1.0 for count, memory in zip(self._counts, MEMORIES, strict=True)
        ]
        self._moment = now

    def rate(self, now: float, age: float, apart: int = 0) -> float:
        """Requests per second from now on, as if the last `apart` requests had not been."""
        rates, merits = self._look(now, age, apart)
        best = max(merits)
        trust = [math.exp(merit - best) for merit in merits]
        return math.fsum(map(math.prod, zip(rates, trust, strict=True))) / math.fsum(trust)

    def _look(self, now: float, age: float, apart: int = 0) -> tuple[list[float], list[float]]:
        """What each memory says now, and its merit after the silence since the last request."""
        elapsed = max(0.0, now - self._moment)
        rates, merits = [], []
        for count, merit, memory in zip(self._counts, self._merits, MEMORIES, strict=True):
            rest = math.exp(-elapsed / memory)
            full = memory * (1 - math.exp(-max(age, YOUNG) / memory))  # of one request a second, by now
            rates.append(max(0.0, count - apart) * rest / full)
            merits.append(merit - count * (1 - rest) * memory / full)
        return rates, merits
