"""How many bytes of a card each process may use, decided once, before the processes start."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from fractions import Fraction
from typing import Final

from vram_policy.footprint import MEBIBYTE
from vram_policy.zones import SHARES, Zone

CONTEXT: Final = 450 * MEBIBYTE
"""What a CUDA context costs each process, before any model: 300 to 450 MiB (design §2)."""

HEADROOM: Final = 256 * MEBIBYTE
"""Left free for the display and for what other programs take meanwhile."""


def share_out(total: int, processes: Mapping[str, tuple[Zone, ...]]) -> dict[str, int]:
    """Divide a card of `total` bytes among processes that each hold the models of some zones.

    A zone's share is divided evenly among the models in it, wherever they are; each process pays for its own context.
    The sum never exceeds total − contexts − headroom; a card too small for that gives everybody 0.
    """
    budget = max(0, total - CONTEXT * len(processes) - HEADROOM)
    models = Counter(zone for zones in processes.values() for zone in zones)
    held = sum((SHARES[zone] for zone in models), Fraction(0))
    return {
        name: int(sum((budget * SHARES[zone] / held / models[zone] for zone in zones), Fraction(0)))
        for name, zones in processes.items()
    }
