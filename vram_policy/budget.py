"""How many bytes of a card each process may use, decided once, before the processes start."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Final

from vram_policy.footprint import MEBIBYTE
from vram_policy.zones import SHARES, Zone

CONTEXT: Final = 450 * MEBIBYTE
"""What a CUDA context costs each process, before any model: 300 to 450 MiB (design §2)."""

HEADROOM: Final = 256 * MEBIBYTE
"""Left free for the display and for what other programs take meanwhile."""


def share_out(
    total: int, processes: Mapping[str, tuple[Zone, ...]], headroom: int = HEADROOM, limit: int | None = None
) -> dict[str, int]:
    """Divide a card of `total` bytes among processes that each hold the models of some zones.

    A zone's share is divided evenly among the models in it, wherever they are; each process pays for its own context.
    The sum never exceeds total − contexts − headroom, nor `limit`; a card too small for that gives everybody 0.
    """
    budget = max(0, total - CONTEXT * len(processes) - headroom)
    budget = budget if limit is None else min(budget, limit)
    weights = _weights(processes)
    held = sum(weights.values(), Fraction(0)) or Fraction(1)
    return {name: int(budget * weight / held) for name, weight in weights.items()}


def spread(
    cards: Sequence[int], processes: Mapping[str, tuple[Zone, ...]], headroom: int = HEADROOM, limit: int | None = None
) -> dict[str, dict[int, int]]:
    """Process → card → bytes, for cards of so many bytes.

    A process alone uses all of them; of several each lives on one, for every further context costs its price.
    """
    if len(processes) == 1:
        alone = [share_out(total, processes, headroom, limit) for total in cards]
        return {name: {index: budget[name] for index, budget in enumerate(alone)} for name in processes}
    weights = _weights(processes)
    loads, lives = [Fraction(0)] * len(cards), [0] * len(cards)
    homes: dict[str, int] = {}
    for name in sorted(weights, key=lambda name: (-weights[name], name)):
        left = [max(0, total - CONTEXT * (living + 1) - headroom) for total, living in zip(cards, lives, strict=True)]
        homes[name] = max(range(len(cards)), key=lambda index: left[index] / (loads[index] + weights[name]))
        loads[homes[name]] += weights[name]
        lives[homes[name]] += 1
    together = [{name: zones for name, zones in processes.items() if homes[name] == home} for home in range(len(cards))]
    shares = [share_out(total, those, headroom, limit) for total, those in zip(cards, together, strict=True)]
    return {name: {homes[name]: shares[homes[name]][name]} for name in processes}


def _weights(processes: Mapping[str, tuple[Zone, ...]]) -> dict[str, Fraction]:
    """Of each process: the shares of its models' zones."""
    models = Counter(zone for zones in processes.values() for zone in zones)
    return {
        name: sum((SHARES[zone] / models[zone] for zone in zones), Fraction(0)) for name, zones in processes.items()
    }
