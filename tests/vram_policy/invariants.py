"""What must never happen to the books of a card, checked after every step of the machine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from hypothesis.stateful import RuleBasedStateMachine, invariant

from tests.vram_policy.manual import Clock, ManualLoader
from tests.vram_policy.observed import Modest, ObservedGpu, network
from vram_policy import Lease
from vram_policy.arbiter import GpuArbiter
from vram_policy.ledger import LOADS, Ledger, Residency, State
from vram_policy.plan import Rules
from vram_policy.zones import RANK

BUDGET = 1000
CARD = "simulated:0"


class Invariants(RuleBasedStateMachine):
    """The machine's other half does; this one watches."""

    arbiter: GpuArbiter
    ledger: Ledger
    gpu: ObservedGpu
    clock: Clock
    loader: ManualLoader
    models: Sequence[Modest]
    leases: list[tuple[Modest, Lease]]
    answers: Counter[str]
    served: set[str]
    wrong: list[str]
    told: list[str]
    context: int
    policy: Rules
    failing: Residency | None
    _evict: Callable[[Sequence[Residency], Residency | None], None]

    def evict(self, leaving: Sequence[Residency], heir: Residency | None) -> None:
        """Only who may leave, for who may ask it."""
        cause = heir or self.failing
        for one in leaving:
            young = one.ready_at is None or self.clock() - one.ready_at < self.policy.residency
            wrong = {
                "on its way": one.state is not State.READY,
                "leased": bool(one.leases),
                "pinned": one.pin,
                "critical": one.zone == "critical",
                "of a higher zone": cause is not None and RANK[one.zone] > RANK[cause.zone],
                "young": young and not (heir and heir.zone == "critical"),
            }
            self.wrong += [f"{one.tag} was evicted, which is {reason}" for reason, true in wrong.items() if true]
        self._evict(leaving, heir)

    @invariant()
    def check(self) -> None:
        """The books agree with the card."""
        entries = list(self.ledger)
        assert self.wrong == []
        assert all(entry.charged >= 0 for entry in entries)
        assert self.ledger.charged <= BUDGET, "more is promised than there is"
        assert self.ledger.charged + self.context >= self.gpu.used, "more is used than is charged"
        assert self.ledger.unaccounted == 0
        assert self.ledger.leaked <= self.gpu.lost_bytes, "a leak that is none"
        assert {id(session) for _, session in self.gpu.open_sessions} == {
            id(entry.session) for entry in entries if entry.session
        }, "a session that nobody knows"
        arriving = sum(entry.state in {State.LOADING, State.WARMING} for entry in entries)
        leaving = sum(entry.state is State.UNLOADING and entry.begun for entry in entries)
        assert arriving <= LOADS
        assert leaving <= 1
        assert not (arriving and leaving), "a load beside an unload"
        if not self.arbiter.loss:
            assert len(self.loader.jobs) == arriving + leaving, "a job that nobody waits for"
        for entry in entries:
            dossier = self.arbiter._dossiers.get(entry.tag)
            assert entry.state is not State.READY or (dossier and not dossier.barred), "nobody wants it there"
            inherits = sum(one.charged for one in entries if one.tag in entry.awaits)
            promised = entry.state is not State.RESERVED or entry.charged + inherits >= entry.size
            assert promised or self.gpu.lost_bytes, "what was promised is given to others"
        assert len(self.told) == (self.arbiter.loss is not None)

    @invariant()
    def check_leases(self) -> None:
        """Who is leased is there, and open."""
        for model, lease in self.leases:
            assert not network(lease.session).closed
            if lease.device == CARD:
                entry = self.ledger.get(model.tag)
                assert entry
                assert entry.session is lease.session
                assert entry.state in {State.READY, State.DRAINING}
        held = Counter(model.tag for model, lease in self.leases if lease.device == CARD)
        assert held == Counter({entry.tag: len(entry.leases) for entry in self.ledger if entry.leases})

    @invariant()
    def check_report(self) -> None:
        """What is told to operators."""
        report = self.arbiter.report()
        assert report.charged == self.ledger.charged
        assert report.leaked + report.unaccounted + sum(one.charged for one in report.models) <= report.charged
        assert {one.tag for one in report.models} == self.served
        assert all(len(one.note or "") < 100 for one in report.models)
        assert {one.tag: one.counts.answers for one in report.models if one.counts.answers} == +self.answers
