"""What fits where on a card: the arithmetic behind `facesocial vram plan`. Bytes throughout."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import Final

from bentos.placement import ENTRY, PIPELINE, Placement, runner_name
from facesocial.capabilities import Capability
from vram_policy import Profile, Zone
from vram_policy.budget import CONTEXT, share_out
from vram_policy.zones import RANK


class Stay(StrEnum):
    """When a model is on the card."""

    START = "from the start"
    REQUEST = "on request"
    TURN = "in turns"
    CPU = "CPU"


@dataclass(frozen=True, slots=True)
class Dweller:
    """A model that may live on the card."""

    name: str
    capability: Capability
    zone: Zone
    pin: bool
    profile: Profile


@dataclass(frozen=True, slots=True)
class Place:
    """Of one model: its process, how long it stays, and what is taken of the process's budget with it."""

    dweller: Dweller
    process: str
    stay: Stay
    sum: int


@dataclass(frozen=True, slots=True)
class Layout:
    """One placement on one card.

    Attributes:
        contexts: bytes of the CUDA contexts of all processes; `headroom`: bytes left free.
        budgets: bytes for models, by process.
        places: in the order in which they would come.
    """

    placement: Placement
    total: int
    contexts: int
    headroom: int
    budgets: Mapping[str, int]
    places: tuple[Place, ...]

    @property
    def budget(self) -> int:
        """Of all processes."""
        return sum(self.budgets.values())

    @property
    def housed(self) -> tuple[Dweller, ...]:
        """Those that are on the card together when all are asked for."""
        return tuple(place.dweller for place in self.places if place.stay in (Stay.START, Stay.REQUEST))


def lay_out(
    placement: Placement, total: int, dwellers: Sequence[Dweller], headroom: int, limit: int | None = None
) -> Layout:
    """Who lives on a card of `total` bytes when all models are asked for, higher zones and pinned models first.

    A model that no longer fits takes turns with those of its zone and below, when that pays, and runs on the CPU
    meanwhile; one that is larger than its process's budget always does.
    """
    processes = _processes(placement, dwellers)
    zones = {name: tuple(one.zone for one in those) for name, those in processes.items()}
    budgets = share_out(total, zones, headroom, limit)
    places = tuple(place for name, those in processes.items() for place in _settle(name, those, budgets[name]))
    return Layout(placement, total, CONTEXT * len(processes), headroom, budgets, places)


def _processes(placement: Placement, dwellers: Sequence[Dweller]) -> dict[str, list[Dweller]]:
    shared = ENTRY if placement == "embedded" else PIPELINE
    processes: dict[str, list[Dweller]] = {}
    for one in dwellers:
        name = runner_name(one.capability) if placement == "isolated" else shared
        processes.setdefault(name, []).append(one)
    return processes


def _settle(process: str, dwellers: Sequence[Dweller], budget: int) -> Iterator[Place]:
    taken = 0
    for one in sorted(dwellers, key=lambda one: (-RANK[one.zone], not one.pin)):
        peak = one.profile.footprint.peak
        if taken + peak <= budget:
            taken += peak
            yield Place(one, process, Stay.START if one.zone == "critical" else Stay.REQUEST, taken)
        else:
            yield Place(one, process, Stay.TURN if peak <= budget else Stay.CPU, taken)


CELLS: Final = 64
"""Of the bar picture."""


def cells(sizes: Sequence[int], total: int) -> list[int]:
    """Cells of the bar for each size; all together no more than fit. What is there gets one, however small it is."""
    ends, end, used = [0], 0, 0
    for size in sizes:
        end += size
        used = min(CELLS, max(used + (size > 0), round(CELLS * end / total)))
        ends.append(used)
    return [after - before for before, after in pairwise(ends)]
