"""Who gets in, and who leaves: the plan applied to the ledger and to what the card says. Under the arbiter's lock."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Final

import structlog

from facesocial.errors import DeviceError, OutOfDeviceMemory
from vram_policy.card import Card
from vram_policy.demand import Demand
from vram_policy.dossier import Dossier, Dossiers
from vram_policy.ledger import Ledger, Residency, State
from vram_policy.plan import Cpu, Resident, Room, Rules, Target, first, idle, plan

log = structlog.get_logger(__name__)


class Admission:
    """Decides; `Transitions` carries out.

    Every method that looks at the card raises DeviceLost when the driver does not answer any more.
    """

    def __init__(
        self,
        card: Card,
        ledger: Ledger,
        dossiers: Dossiers,
        demand: Demand,
        rules: Rules,
        headroom: int,
        context: int,
    ) -> None:
        self.card: Final = card
        self.ledger: Final = ledger
        self.dossiers: Final = dossiers
        self.demand: Final = demand
        self.headroom: Final = headroom
        self.context: Final = context
        self.rules = rules

    def consider(self, dossier: Dossier, now: float) -> None:
        """Reserve room for a model that was asked for, if the plan wants it there; else note why not."""
        if self.ledger.get(dossier.model.tag):
            return
        if dossier.barred:
            dossier.note = dossier.why_not
        elif dossier.backoff.holds(now):
            dossier.note = f"left alone for a while: {dossier.why_not}"
        else:
            self._reserve(dossier, now, self.rules)

    def force(self, dossier: Dossier, now: float) -> None:
        """The same for an operator: whether or not it pays."""
        if dossier.error is None:
            self._reserve(dossier, now, replace(self.rules, policy="lru"))

    def expel(self, entry: Residency, error: DeviceError, now: float) -> None:
        """A run of it failed: it leaves and stays away for a while. If the card was full, so do the idle."""
        if dossier := self.dossiers.get(entry.tag):
            dossier.backoff.fail(now)
            dossier.error = error
        if isinstance(error, OutOfDeviceMemory):
            self._evict(self.yielding(entry, now), None)
        self.ledger.condemn(entry)

    def settle(self, now: float) -> None:
        """Take the card's word for what is held, and give way to other programs that need the headroom."""
        memory = self.card.memory()
        if not self.ledger.quiet:
            return
        stays = sum(entry.charged for entry in self.ledger)
        if memory.exact:
            self.ledger.reconcile(memory.own - self.context - stays)
        missing = max(self.headroom - memory.free, self.ledger.charged - self.ledger.budget)
        leaving = first(idle(self._residents(now), self.rules), missing)
        self._evict([entry for entry in self.ledger if entry.tag in {one.tag for one in leaving}], None)

    def make_room(self, entry: Residency, now: float) -> bool:
        """Have all leave who may, for a load that the card refused; False: nobody may, or it did not help before."""
        dossier = self.dossiers.get(entry.tag)
        if dossier is None or dossier.stubborn:
            return False
        leaving = self.yielding(entry, now)
        self._evict(leaving, entry)
        return bool(leaving)

    def yielding(self, entry: Residency, now: float) -> list[Residency]:
        """Who leaves when the card has no room for `entry`."""
        tags = {one.tag for one in idle(self._residents(now), self.rules, entry.zone)} - {entry.tag}
        return [other for other in self.ledger if other.tag in tags]

    def forget(self, tag: str) -> None:
        """It will not be asked for again."""
        self.demand.forget(tag)
        self.dossiers.close(tag)

    def _reserve(self, dossier: Dossier, now: float, rules: Rules) -> None:
        model, size = dossier.model, dossier.size(self.card.name)
        costs = model.profile(self.card.name).costs
        target = Target(
            model.tag,
            dossier.stand.zone,
            size,
            self.demand.forecast(model.tag, now, apart=1) * dossier.worth(self.card.name),
            self.demand.price(model.tag, costs.load_cpu),
            costs.load + costs.unload,
            self.demand.asked(model.tag),
        )
        ledger, memory = self.ledger, self.card.memory()
        untaken = max(0, ledger.charged + self.context - memory.own) if memory.exact else ledger.arriving
        free = min(ledger.budget - ledger.charged, memory.free - self.headroom - untaken)
        dossier.waits = size > free and any(entry.state is State.UNLOADING and not entry.heir for entry in ledger)
        if dossier.waits:
            dossier.note = "others are leaving"
            return
        decision = plan(target, self._residents(now), Room(ledger.budget, free), rules)
        if isinstance(decision, Cpu):
            dossier.note = decision.reason.value
            return
        dossier.note = dossier.error = None
        log.info("onto the card", model=model.tag, device=self.card.device, leaving=decision.evict)
        ledger.reserve(model, dossier.stand, size, decision.evict)
        self._count(decision.evict)
        self.demand.loaded(model.tag, costs.load_cpu)

    def _residents(self, now: float) -> list[Resident]:
        def value(entry: Residency) -> float:
            dossier = self.dossiers.get(entry.tag)
            return self.demand.forecast(entry.tag, now) * dossier.worth(self.card.name) if dossier else 0.0

        return self.ledger.residents(value, lambda entry: self.demand.idle(entry.tag, now), now)

    def _evict(self, leaving: Sequence[Residency], heir: Residency | None) -> None:
        self.ledger.evict(leaving, heir)
        self._count([entry.tag for entry in leaving])

    def _count(self, evicted: Collection[str]) -> None:
        for tag in evicted:
            if dossier := self.dossiers.get(tag):
                dossier.counts.evictions += 1
                dossier.note = "left for others"
