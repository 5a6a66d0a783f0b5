"""Who is on the card, now: leases out, loads and unloads in the background, faults answered. The plan decides.

A request never waits here. What is ready is leased; everything else is answered by the CPU at once, while a loader
brings in what the plan wants there. Before a model is considered for the card its CPU session has been opened: the
first lease of a model is its rehearsal, and counts as no request.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Final

import structlog

from facesocial.errors import Conflict, DeviceError, DeviceLost, OutOfDeviceMemory
from vram_policy.admission import Admission
from vram_policy.budget import CONTEXT, HEADROOM
from vram_policy.card import Card
from vram_policy.counts import Counts
from vram_policy.demand import Demand
from vram_policy.dossier import Dossier, Dossiers
from vram_policy.lease import CpuArbiter, Lease, Loadable
from vram_policy.ledger import Ledger, Residency, State
from vram_policy.loader import Loader, ThreadLoader
from vram_policy.plan import Rules
from vram_policy.report import CardReport, describe
from vram_policy.transitions import Transitions
from vram_policy.zones import Stand

log = structlog.get_logger(__name__)

OPERATOR_SECONDS: Final = 60.0
"""How long an operator's load or unload is waited for."""


class GpuArbiter:
    """Of one card in one process. Thread-safe.

    Args:
        card: the device.
        budget: bytes of it that models may take.
        cpu: the sessions that answer meanwhile.
        context: bytes of the process on the card before any model; not part of the budget.
        headroom: bytes that stay free on the card, whatever the budget says.
        stands: model name → zone and pin in place of the catalogue's.
        lost: called once, when nothing will run on the card any more until the process starts anew.
        record: called with the tag of each request, for traces.
        clock: seconds that do not go back.
    """

    def __init__(
        self,
        card: Card,
        budget: int,
        cpu: CpuArbiter,
        *,
        context: int = CONTEXT,
        headroom: int = HEADROOM,
        rules: Rules | None = None,
        stands: Mapping[str, Stand] | None = None,
        loader: Loader | None = None,
        lost: Callable[[str], object] = lambda _: None,
        record: Callable[[str], object] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.card: Final = card
        self.loss: str | None = None
        """Why nothing runs on the card any more."""
        self._cpu = cpu
        self._dossiers = Dossiers(stands or {})
        self._loader = loader or ThreadLoader()
        self._when_lost = lost
        self._record = record
        self._clock = clock
        self._changed = threading.Condition(threading.RLock())
        self._ledger = Ledger(budget)
        self._demand = Demand()
        self._admission = Admission(
            card, self._ledger, self._dossiers, self._demand, rules or Rules(), headroom, context
        )
        self._transitions = Transitions(card, self._ledger, self._changed, self._loader, self, context, clock)
        self._out: dict[int, Residency] = {}
        self._closed = False

    @property
    def budget(self) -> int:
        """Bytes that models may take."""
        return self._ledger.budget

    # ---- requests ----

    def lease(self, model: Loadable, rows: int = 1) -> Lease:
        """See `Arbiter.lease`: on the card when it is ready there, else on the CPU."""
        if not self._cpu.holds(model.tag):
            return self._rehearse(model)
        self._record(model.tag)
        with self._changed:
            dossier, now = self._dossiers.open(model), self._clock()
            self._demand.observe(model.tag, now)
            dossier.count(rows)
            entry = self._ledger.get(model.tag)
            if entry and entry.session and entry.state is State.READY and not self.loss:
                lease = Lease(entry.session, self.card.device, self._end)
                entry.leases.add(lease.id)
                self._out[lease.id] = entry
                return lease
            self._consider(dossier, now)
            dossier.counts.spills += 1
        return self._cpu.lease(model)

    def failover(self, lease: Lease, error: DeviceError) -> Lease:
        """See `Arbiter.failover`: want of memory makes the idle leave, a lost card is not used again."""
        with self._changed:
            entry = self._out.pop(lease.id, None)
            lease.end()
            if entry is None:
                raise error
            self._ledger.give_back(entry, lease.id)
            dossier = self._dossiers.get(entry.tag)
            counts = dossier.counts if dossier else Counts()
            counts.failovers += 1
            if isinstance(error, DeviceLost):
                self.lost(error)
            else:
                log.warning("a run on the card failed", model=entry.tag, error=error.code)
                counts.out_of_memory += isinstance(error, OutOfDeviceMemory)
                self._admission.expel(entry, error, self._clock())
            self._transitions.advance()
        answer = self._cpu.lease(entry.model)
        if dossier is None:  # retired meanwhile: nobody else will ask for that session
            self._cpu.retire(entry.tag)
        return answer

    def retire(self, tag: str) -> None:
        """See `Arbiter.retire`."""
        with self._changed:
            if entry := self._ledger.get(tag):
                self._ledger.condemn(entry)
            self._admission.forget(tag)
            self._transitions.advance()
        self._cpu.retire(tag)

    def _rehearse(self, model: Loadable) -> Lease:
        lease = self._cpu.lease(model)
        model.profile(self.card.name)  # looked up on disk the first time: not under the lock
        with self._changed:
            dossier = self._dossiers.open(model)
            if dossier.stand.zone == "critical":
                self._consider(dossier, self._clock())
        return lease

    def _end(self, lease: Lease) -> None:
        with self._changed:
            if (entry := self._out.pop(lease.id, None)) is None:  # it ended in a failover
                return
            self._ledger.give_back(entry, lease.id)
            self._transitions.advance()
            if dossier := self._dossiers.get(entry.tag):
                dossier.counts.answers += 1
                self._demand.saved(entry.tag, dossier.worth(self.card.name))

    def _consider(self, dossier: Dossier, now: float) -> None:
        self._look(lambda: self._admission.consider(dossier, now))
        self._transitions.advance()

    def _look(self, act: Callable[[], object]) -> None:
        """Do what looks at the card, unless it is lost, or is found to be."""
        if self.loss is None:
            try:
                act()
            except DeviceLost as error:
                self.lost(error)

    # ---- outcomes of transitions, under the lock ----

    def arrived(self, entry: Residency, taken: int | None) -> None:
        """See `Watcher.arrived`."""
        if (dossier := self._dossiers.get(entry.tag)) is None:  # retired meanwhile
            return
        dossier.backoff.clear()
        dossier.stubborn = False
        dossier.counts.loads += 1
        if taken is not None:
            dossier.taken = taken
            entry.charged = entry.size = dossier.size(self.card.name)

    def make_room(self, entry: Residency) -> bool:
        """See `Watcher.make_room`."""
        return self._admission.make_room(entry, self._clock())

    def left(self, entry: Residency, leaked: int) -> None:
        """See `Watcher.left`."""
        if entry.ready_at is not None and self._dossiers.get(entry.tag):
            self._demand.left(entry.tag)
        if leaked:
            log.warning("a closed session did not give all back", model=entry.tag, bytes=leaked)

    def failed(self, entry: Residency, error: Exception) -> None:
        """See `Watcher.failed`."""
        log.warning("not onto the card", model=entry.tag, error=type(error).__name__)
        if dossier := self._dossiers.get(entry.tag):
            dossier.backoff.fail(self._clock())
            dossier.error = error
            dossier.stubborn = isinstance(error, OutOfDeviceMemory)
            dossier.counts.failures += 1

    def lost(self, error: DeviceLost) -> None:
        """See `Watcher.lost`: what is there stays charged, for a poisoned context gives nothing back."""
        if self.loss is None:
            self.loss = error.detail
            log.error("the card is lost to this process", device=self.card.device)
            try:
                self._when_lost(error.detail)
            except Exception:  # whoever met the loss must be answered all the same
                log.exception("the loss of the card could not be told", device=self.card.device)

    # ---- operators, and time ----

    def load(self, tag: str, seconds: float = OPERATOR_SECONDS) -> None:
        """Bring a known model onto the card and wait for it, whether or not it pays.

        Raises:
            Conflict: it does not fit beside what may not be evicted, or its load failed; the reason is in the message.
        """
        with self._changed:
            dossier, until = self._dossier(tag), self._clock() + seconds
            dossier.barred, dossier.error, dossier.stubborn = False, None, False
            dossier.backoff.clear()
            while not ((entry := self._ledger.get(tag)) and entry.state is State.READY):
                if entry is None:
                    self._look(lambda: self._admission.force(dossier, self._clock()))
                    self._transitions.advance()
                    entry = self._ledger.get(tag)
                if dossier.barred or self._ends(until) or (entry is None and not dossier.waits):
                    raise Conflict(f"{tag} is not on {self.card.device}: {self.loss or dossier.why_not}")
                self._changed.wait(0.1)

    def unload(self, tag: str, seconds: float = OPERATOR_SECONDS) -> None:
        """Take a model off the card, when its leases have ended, and keep it off until it is loaded by `load`.

        Raises:
            Conflict: it is not known, or is held that long; it leaves all the same when its leases have ended.
        """
        with self._changed:
            dossier, until = self._dossier(tag), self._clock() + seconds
            dossier.barred = True
            dossier.note = dossier.why_not
            while entry := self._ledger.get(tag):
                if dossier.barred:
                    self._ledger.condemn(entry)
                    self._transitions.advance()
                if self._ledger.get(tag) and (not dossier.barred or self._ends(until)):
                    raise Conflict(f"{tag} is still on {self.card.device}, held by {len(entry.leases)} leases")
                self._changed.wait(0.1)

    def reconfigure(self, rules: Rules, stands: Mapping[str, Stand]) -> None:
        """Other rules, zones and pins, from the next request on."""
        with self._changed:
            self._admission.rules = rules
            self._dossiers.restate(stands)
            for entry in self._ledger:
                if dossier := self._dossiers.get(entry.tag):
                    entry.zone, entry.pin = dossier.stand.zone, dossier.stand.pin

    def tick(self) -> None:
        """Compare the ledger with the card, give way to other programs, bring back what must be there."""
        with self._changed:
            self._look(lambda: self._admission.settle(self._clock()))
            for dossier in self._dossiers.all():
                if dossier.stand.zone == "critical":
                    self._consider(dossier, self._clock())
            self._transitions.advance()

    def report(self) -> CardReport:
        """The ledger beside the card's own numbers."""
        with self._changed:
            try:
                memory = None if self.loss else self.card.memory()
            except DeviceLost as error:
                self.lost(error)
                memory = None
            return describe(self._admission, memory, self.loss, self._clock())

    def close(self) -> None:
        """Let running loads end and start no more; no operator waits for them."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._loader.close()

    def _ends(self, until: float) -> bool:
        """Whether waiting is of no use any more."""
        return self.loss is not None or self._closed or self._clock() >= until

    def _dossier(self, tag: str) -> Dossier:
        if dossier := self._dossiers.get(tag):
            return dossier
        raise Conflict(f"{tag} is not served here")
