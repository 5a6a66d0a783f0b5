"""How long to leave a model alone that failed: twice as long each time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

FIRST_SECONDS: Final = 30.0
LAST_SECONDS: Final = 600.0


@dataclass(slots=True)
class Backoff:
    """Of one model. Times are seconds of the arbiter's clock."""

    until: float = float("-inf")
    pause: float = FIRST_SECONDS

    def fail(self, now: float) -> None:
        """Leave it alone for a while."""
        self.until = now + self.pause
        self.pause = min(LAST_SECONDS, 2 * self.pause)

    def holds(self, now: float) -> bool:
        """Whether it is to be left alone still."""
        return now < self.until

    def clear(self) -> None:
        """It did well, or an operator wants it tried."""
        self.until, self.pause = float("-inf"), FIRST_SECONDS
