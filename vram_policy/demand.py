"""What each model is asked for and what its loads were worth: everything the plan needs to know of the past.

The service and the simulator keep the same book, so that a change of the policy is judged there first.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Final

from vram_policy.forecast import Forecast

WORTH: Final = 2.0
"""A load that saved less than so many times its cost before it was undone doubles the price of the next."""

PENALTY_MOST: Final = 64.0


@dataclass(slots=True)
class _Entry:
    """Of one model: counts of its requests, and its present residency's account."""

    forecast: Forecast = field(default_factory=Forecast)
    moment: float = 0.0
    asked: int = 0
    penalty: float = 1.0
    spent: float = 0.0
    saved: float = 0.0


class Demand:
    """Requests, loads and their yield, by tag. Times are seconds of any clock that does not go back."""

    def __init__(self) -> None:
        self._begin: float | None = None
        self._entries: defaultdict[str, _Entry] = defaultdict(_Entry)

    def observe(self, tag: str, now: float) -> None:
        """One request."""
        if self._begin is None:
            self._begin = now
        entry = self._entries[tag]
        entry.forecast.observe(now, now - self._begin)
        entry.moment = now
        entry.asked += 1

    def forecast(self, tag: str, now: float, apart: int = 0) -> float:
        """Requests per second to be expected, of which the plan's values are made; 0 for what was never asked for.

        Args:
            tag: of the model.
            now: seconds.
            apart: 1 at the very moment of a request, which must not count for more than a moment without one.
        """
        entry = self._entries.get(tag)
        return entry.forecast.rate(now, now - (self._begin or 0.0), apart) if entry else 0.0

    def asked(self, tag: str) -> int:
        """Requests since it last left the card."""
        return self._entries[tag].asked

    def idle(self, tag: str, now: float) -> float:
        """Seconds since the last request."""
        return now - self._entries[tag].moment

    def price(self, tag: str, cost: float) -> float:
        """What a load that takes `cost` CPU-seconds counts as."""
        return cost * self._entries[tag].penalty

    def loaded(self, tag: str, cost: float) -> None:
        """A load was begun."""
        entry = self._entries[tag]
        entry.spent, entry.saved = cost, 0.0

    def saved(self, tag: str, seconds: float) -> None:
        """CPU-seconds that an answer on the card saved."""
        self._entries[tag].saved += seconds

    def left(self, tag: str) -> None:
        """It left the card: was its load worth it?"""
        entry = self._entries[tag]
        worth = entry.saved >= WORTH * entry.spent
        entry.penalty = max(1.0, entry.penalty / 2) if worth else min(PENALTY_MOST, entry.penalty * 2)
        entry.asked = 0

    def forget(self, tag: str) -> None:
        """It will not be asked for again."""
        self._entries.pop(tag, None)
