"""Priority zones: shares of the budget that are guaranteed to their models, and may be borrowed while unused."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Final, Literal, TypeAlias

Zone: TypeAlias = Literal["critical", "high", "flexible"]

SHARES: Final[dict[Zone, Fraction]] = {
    "critical": Fraction(1, 3),
    "high": Fraction(5, 12),
    "flexible": Fraction(1, 4),
}
"""Of the budget, guaranteed to each zone: 2, 2.5 and 1.5 of 6 GB."""

RANK: Final[dict[Zone, int]] = {"critical": 2, "high": 1, "flexible": 0}
"""Who may evict whom: never a lower rank a higher one."""


def share(budget: int, zone: Zone) -> int:
    """Bytes of `budget` that are guaranteed to `zone`."""
    return int(budget * SHARES[zone])


@dataclass(frozen=True, slots=True)
class Stand:
    """Where a model stands: its zone, and whether it is never evicted."""

    zone: Zone
    pin: bool = False
