"""The book of one card in one process: who is there, in which state, and what is charged for it. Bytes only, no clock.

    ABSENT → RESERVED → LOADING → WARMING → READY → DRAINING → UNLOADING → ABSENT

Everything but ABSENT is charged, and what a closed session leaked, so that memory on its way out is never given twice:
a newcomer that waits for others to leave is charged for what it does not take over from them, and inherits their charge
when the card has confirmed that they are gone. Many loads may run at once, or one unload, never both: what the card
reports can then be told apart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from vram_policy.lease import Loadable, Session
from vram_policy.plan import Resident
from vram_policy.zones import Stand, Zone

LOADS: Final = 2
"""At once, each in a thread of its own."""


class State(StrEnum):
    """Of a model that is charged for."""

    RESERVED = "reserved"
    LOADING = "loading"
    WARMING = "warming"
    READY = "ready"
    DRAINING = "draining"
    UNLOADING = "unloading"


ARRIVING: Final = frozenset({State.RESERVED, State.LOADING, State.WARMING})


@dataclass(slots=True, eq=False)
class Residency:
    """One model's stay.

    Attributes:
        size: bytes it will be charged when it is there.
        charged: bytes it is charged now.
        awaits: who must leave before it can be loaded.
        heir: who takes over its charge.
        begun: whether the job that its state asks for is running.
        doomed: to be unloaded as soon as it has arrived.
        tried: a load failed for want of memory.
        again: it leaves in order to be loaded once more.
    """

    model: Loadable
    zone: Zone
    pin: bool
    size: int
    charged: int
    state: State = State.RESERVED
    session: Session | None = None
    leases: set[int] = field(default_factory=set)
    awaits: set[str] = field(default_factory=set)
    heir: Residency | None = None
    begun: bool = False
    doomed: bool = False
    tried: bool = False
    again: bool = False
    ready_at: float | None = None

    @property
    def tag(self) -> str:
        """Of the model."""
        return self.model.tag

    @property
    def settled(self) -> bool:
        """Ready and held by nobody."""
        return self.state is State.READY and not self.leases


class Ledger:
    """Not thread-safe: the arbiter's lock guards it."""

    def __init__(self, budget: int) -> None:
        self.budget: Final = budget
        self.leaked = 0
        """Bytes that closed sessions did not give back."""
        self.unaccounted = 0
        """Bytes that the card says we hold and that no residency explains."""
        self.jobs = 0
        """Begun so far."""
        self._entries: dict[str, Residency] = {}

    def __iter__(self) -> Iterator[Residency]:
        return iter(tuple(self._entries.values()))

    def get(self, tag: str) -> Residency | None:
        """The model's present stay."""
        return self._entries.get(tag)

    @property
    def charged(self) -> int:
        """Bytes that are spoken for; never more than the budget, unless the card proved us wrong."""
        return sum(entry.charged for entry in self) + self.leaked + self.unaccounted

    @property
    def held(self) -> int:
        """Bytes that may be in use now: all that is charged but what waits for its load to begin."""
        return self.charged - sum(entry.charged for entry in self if entry.state is State.RESERVED)

    @property
    def arriving(self) -> int:
        """Bytes promised to loads, some of which they may have taken."""
        return sum(entry.charged for entry in self if entry.state in ARRIVING)

    @property
    def quiet(self) -> bool:
        """Whether nobody is on the way in or out."""
        return all(entry.state is State.READY for entry in self)

    def used(self, zone: Zone) -> int:
        """Bytes charged to models of `zone`."""
        return sum(entry.charged for entry in self if entry.zone == zone)

    def residents(
        self, value: Callable[[Residency], float], idle: Callable[[Residency], float], now: float
    ) -> list[Resident]:
        """As `plan` wants them; who awaits others counts with all it will have."""
        return [
            Resident(
                entry.tag,
                entry.zone,
                max(entry.charged, entry.size),
                value(entry),
                settled=entry.settled,
                pinned=entry.pin,
                idle=idle(entry),
                age=0.0 if entry.ready_at is None else now - entry.ready_at,
            )
            for entry in self
            if entry.state not in (State.DRAINING, State.UNLOADING)
        ]

    def reserve(self, model: Loadable, stand: Stand, size: int, victims: Sequence[str]) -> Residency:
        """Promise `size` bytes to a model, part of them those that `victims` will give back."""
        leaving = [self._entries[tag] for tag in victims]
        entry = Residency(model, stand.zone, stand.pin, size, max(0, size - sum(victim.charged for victim in leaving)))
        self._entries[model.tag] = entry
        self.evict(leaving, entry)
        return entry

    def evict(self, leaving: Sequence[Residency], heir: Residency | None) -> None:
        """These go; `heir` waits for them and takes over what it lacks."""
        for victim in leaving:
            victim.state = State.UNLOADING
            victim.heir = heir
            if heir:
                heir.awaits.add(victim.tag)

    def condemn(self, entry: Residency) -> None:
        """It goes as soon as it can: when nobody holds it, or when its load has ended."""
        if entry.state is State.RESERVED:
            self.drop(entry)
        elif entry.state in ARRIVING:
            entry.doomed = True
        elif entry.state is State.READY:
            entry.state = State.DRAINING if entry.leases else State.UNLOADING
        elif entry.again:
            entry.again = False
            self._disinherit(entry)

    def give_back(self, entry: Residency, lease: int) -> None:
        """A lease has ended."""
        entry.leases.discard(lease)
        if entry.state is State.DRAINING and not entry.leases:
            entry.state = State.UNLOADING

    def begin(self) -> Residency | None:
        """The next whose job may run, marked as begun: those who leave first, one by one; then those who arrive."""
        running = [entry for entry in self if entry.begun]
        leaving = next((entry for entry in self if entry.state is State.UNLOADING and not entry.begun), None)
        arriving = next((entry for entry in self if entry.state is State.RESERVED and not entry.awaits), None)
        if any(entry.state is State.UNLOADING for entry in running) or (leaving and running):
            return None
        if leaving is None and arriving is not None and len(running) < LOADS:
            arriving.state = State.LOADING
            leaving = arriving
        if leaving is not None:
            leaving.begun = True
            self.jobs += 1
        return leaving

    def arrive(self, entry: Residency, now: float) -> None:
        """Its load has ended well."""
        entry.state, entry.begun, entry.ready_at = State.READY, False, now
        if entry.doomed:
            self.condemn(entry)

    def retreat(self, entry: Residency) -> None:
        """Its load failed: it leaves with what the attempt took, and keeps its charge until that is gone."""
        entry.state, entry.begun = State.UNLOADING, False

    def drop(self, entry: Residency) -> None:
        """It never held anything on the card."""
        self._entries.pop(entry.tag, None)
        self._disinherit(entry)

    def release(self, entry: Residency, leaked: int) -> bool:
        """It is gone by the card's word, all but `leaked` bytes; False: its heir does not get what it needs.

        Who comes again is its own heir.
        """
        self.leaked += leaked
        entry.begun = False
        given, heir = entry.charged - leaked, entry.heir
        if entry.again:
            entry.charged, entry.state, entry.again, heir = 0, State.RESERVED, False, entry
        else:
            self._entries.pop(entry.tag, None)
        if heir is None:
            return True
        heir.awaits.discard(entry.tag)
        heir.charged += min(given, max(0, heir.size - heir.charged))
        if not heir.awaits:
            heir.charged += min(max(0, heir.size - heir.charged), max(0, self.budget - self.charged))
        return bool(heir.awaits) or heir.charged >= heir.size

    def _disinherit(self, entry: Residency) -> None:
        """Whoever leaves for it leaves for nobody."""
        entry.awaits.clear()
        for other in self:
            if other.heir is entry:
                other.heir = None

    def reconcile(self, excess: int) -> None:
        """`excess`: bytes that the card says we hold beyond all present residencies (leaks are part of it).

        Leaks that have been given back after all are forgotten; what nobody explains lowers the capacity.
        """
        excess = max(0, excess)
        self.leaked = min(self.leaked, excess)
        self.unaccounted = excess - self.leaked
