"""Whether a model that was asked for goes onto the card, and who leaves for it. Pure and deterministic.

The rule: a load must be worth more than what it costs and what leaves for it would have saved, over the horizon:

    rate · cpu · (horizon − load − unload) − price  >  margin · Σ rate · cpu · horizon  over the cheapest victims

A lower zone loses models only while it holds more than its share, the last of them perhaps in part below it.
A zone that takes back its own guarantee from those who borrowed it compares with nothing: there its load must pay for
itself alone. The gain comes from admission by cost, not from clever victims (design §3).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import combinations
from typing import Final, Literal, TypeAlias

from vram_policy.zones import RANK, Zone, share


class Reason(StrEnum):
    """Why the CPU answers."""

    TOO_LARGE = "larger than the budget"
    FIRST_REQUEST = "a flexible model loads on its second request"
    NO_VICTIM = "nobody may be evicted for it: the others are leased, pinned, young or above its zone"
    NOT_WORTH = "the load would cost more than it saves"


@dataclass(frozen=True, slots=True)
class Gpu:
    """Load it, once these tags have left."""

    evict: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Cpu:
    """Leave the card as it is."""

    reason: Reason


Decision: TypeAlias = Gpu | Cpu


@dataclass(frozen=True, slots=True)
class Target:
    """The model that was asked for and is not there.

    Attributes:
        bytes: what it will be charged.
        value: CPU-seconds a second that it would save: its rate × its CPU time.
        price: CPU-seconds that its load costs, with the penalty of loads that were undone too soon.
        delay: seconds until it answers on the card, and until its memory is free again.
        asked: requests since it last left the card, this one among them.
    """

    tag: str
    zone: Zone
    bytes: int
    value: float
    price: float
    delay: float
    asked: int


@dataclass(frozen=True, slots=True)
class Resident:
    """A model that is charged for.

    Attributes:
        settled: ready and held by nobody; what loads, unloads or is leased cannot leave.
        pinned: never evicted.
        idle: seconds since it was last asked for.
        age: seconds since it became ready.
    """

    tag: str
    zone: Zone
    bytes: int
    value: float
    settled: bool
    pinned: bool
    idle: float
    age: float


@dataclass(frozen=True, slots=True)
class Room:
    """Bytes: the whole budget, and what may be given out now; the latter is negative when a second program took it."""

    budget: int
    free: int


@dataclass(frozen=True, slots=True)
class Rules:
    """What an operator can turn. Seconds, but for `margin`.

    Attributes:
        policy: `benefit`, or plain `lru` inside the same zones.
        horizon: how far ahead a load must pay; two minutes are best (docs/benchmarks.md).
        margin: how much more a newcomer must be worth than those who leave.
        residency: nothing younger is evicted, but for a critical model.
    """

    policy: Literal["benefit", "lru"] = "benefit"
    horizon: float = 120.0
    margin: float = 1.1
    residency: float = 30.0


SEARCHED: Final = 8
"""Cheapest candidates among whom the set of victims is searched: 2⁸ sets at most, a millisecond."""


def plan(target: Target, residents: Sequence[Resident], room: Room, rules: Rules) -> Decision:
    """What to do about `target`, which is not on the card. Does nothing.

    Never evicts what is leased, pinned, critical or of a higher zone, nor, but for a critical target, what is younger
    than the minimum residency: the request runs on the CPU instead of thrashing.
    """
    if target.bytes > room.budget:
        return Cpu(Reason.TOO_LARGE)
    missing = target.bytes - room.free
    if missing <= 0:
        return _into_free(target, rules)
    own = _within_guarantee(target, residents, room)
    candidates = [one for one in residents if _may_leave(one, target, residents, room, rules)]
    victims = _longest_idle(candidates, missing) if rules.policy == "lru" else _cheapest(candidates, missing)
    if victims is None:
        return Cpu(Reason.NO_VICTIM)
    if target.zone != "critical" and rules.policy == "benefit" and not _pays(target, victims, rules, own=own):
        return Cpu(Reason.NOT_WORTH)
    return Gpu(tuple(victim.tag for victim in victims))


def _into_free(target: Target, rules: Rules) -> Decision:
    if target.zone == "flexible" and target.asked < 2 and rules.policy == "benefit":
        return Cpu(Reason.FIRST_REQUEST)
    return Gpu()


def _used(zone: Zone, residents: Sequence[Resident]) -> int:
    return sum(one.bytes for one in residents if one.zone == zone)


def _within_guarantee(target: Target, residents: Sequence[Resident], room: Room) -> bool:
    """Whether the target's zone, with it, would hold no more than is guaranteed to it."""
    return _used(target.zone, residents) + target.bytes <= share(room.budget, target.zone)


def _may_leave(one: Resident, target: Target, residents: Sequence[Resident], room: Room, rules: Rules) -> bool:
    if one.pinned or not one.settled or one.zone == "critical" or RANK[one.zone] > RANK[target.zone]:
        return False
    if target.zone == "critical":
        return True
    borrows = _used(one.zone, residents) > share(room.budget, one.zone)
    return one.age >= rules.residency and (one.zone == target.zone or borrows)


def _pays(target: Target, victims: Sequence[Resident], rules: Rules, *, own: bool) -> bool:
    gain = target.value * (rules.horizon - target.delay) - target.price
    lost = sum(victim.value for victim in victims if not (own and victim.zone != target.zone)) * rules.horizon
    return gain > rules.margin * lost


def _longest_idle(candidates: Sequence[Resident], missing: int) -> Sequence[Resident] | None:
    """Lowest zone first, then longest idle, until it is enough."""
    victims = first(sorted(candidates, key=_idleness), missing)
    return _needed(victims, missing) if sum(one.bytes for one in victims) >= missing else None


def _needed(victims: Sequence[Resident], missing: int) -> Sequence[Resident]:
    """Without those whom the others make superfluous: the last to be chosen are the first to be spared."""
    surplus = sum(one.bytes for one in victims) - missing
    needed: list[Resident] = []
    for one in reversed(victims):
        if one.bytes <= surplus:
            surplus -= one.bytes
        else:
            needed.insert(0, one)
    return needed


def _idleness(one: Resident) -> tuple[int, float, str]:
    return RANK[one.zone], -one.idle, one.tag


def first(residents: Sequence[Resident], missing: int) -> list[Resident]:
    """As many of the first as it takes to free `missing` bytes, or all."""
    taken: list[Resident] = []
    for one in residents:
        if missing <= 0:
            break
        taken.append(one)
        missing -= one.bytes
    return taken


def _cheapest(candidates: Sequence[Resident], missing: int) -> Sequence[Resident] | None:
    """The set that is worth least: of the lowest zones that suffice, then by value, then longest idle."""
    for rank in sorted({RANK[one.zone] for one in candidates}):
        within = [one for one in candidates if RANK[one.zone] <= rank]
        if sum(one.bytes for one in within) >= missing:
            return min(_enough(within, missing), key=_worth)
    return None


def _worth(victims: Sequence[Resident]) -> tuple[float, int, float, tuple[str, ...]]:
    return (
        sum(one.value for one in victims),
        len(victims),
        -min(one.idle for one in victims),
        tuple(one.tag for one in victims),
    )


def _enough(candidates: Sequence[Resident], missing: int) -> Iterator[tuple[Resident, ...]]:
    """Every set that frees `missing` bytes; where the cheapest of many candidates do not, as many as it takes."""
    ordered = sorted(candidates, key=lambda one: (one.value, -one.idle, one.tag))
    tried = ordered[:SEARCHED]
    found = False
    for count in range(1, len(tried) + 1):
        for victims in combinations(tried, count):
            if sum(one.bytes for one in victims) >= missing:
                found = True
                yield victims
    if not found:
        yield tuple(_needed(first(ordered, missing), missing))


def idle(residents: Sequence[Resident], rules: Rules, zone: Zone = "critical") -> list[Resident]:
    """Who may leave for nobody: because the card ran out of memory at a model of `zone`, or others want the memory.

    Nothing young, nothing of a higher zone. Lowest zone first, then longest idle.
    """
    free = [
        one
        for one in residents
        if one.settled
        and not one.pinned
        and one.zone != "critical"
        and RANK[one.zone] <= RANK[zone]
        and one.age >= rules.residency
    ]
    return sorted(free, key=_idleness)
