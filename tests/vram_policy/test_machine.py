"""The arbiter under everything at once, in any order; after every step the books are compared with the card.

Hypothesis chooses the models, the card's faults and the order: requests, leases that outlive everything, failovers,
steps of loads and unloads, time, a second program, an operator. What must never happen is in the invariants.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from facesocial.errors import Conflict, DeviceError, DeviceLost, ModelIntegrityError, OutOfDeviceMemory
from tests.vram_policy.fakes import INPUT
from tests.vram_policy.invariants import BUDGET, CARD, Invariants
from tests.vram_policy.manual import Clock, ManualLoader
from tests.vram_policy.observed import Modest, ObservedGpu, network
from tests.vram_policy.strategies import LAGS, efforts, models, pauses, rules, stands, which
from vram_policy import CpuArbiter, Lease
from vram_policy.arbiter import GpuArbiter
from vram_policy.ledger import Residency, State
from vram_policy.plan import Rules
from vram_policy.simulated import Behaviour
from vram_policy.zones import Stand, Zone

CPU = "cpu"


class Machine(Invariants):
    """One arbiter of one card, driven by hand."""

    @initialize(
        models=models,
        rules=rules,
        context=st.sampled_from([0, 70]),
        headroom=st.sampled_from([0, 50]),
        lag=st.sampled_from(LAGS),
        leak=st.sampled_from([0.0, 0.0, 0.0, 0.1]),
        mortal=st.sampled_from([False] * 4 + [True]),
    )
    def begin(
        self,
        models: Sequence[tuple[Zone, int, bool, int | None]],
        rules: Rules,
        context: int,
        headroom: int,
        lag: float,
        leak: float,
        mortal: bool,
    ) -> None:
        """A card with exactly the room that the budget promises."""
        self.models = [
            Modest(f"m{n}:1", zone, pin, size, said=size + (over or 0), measured=over is None)
            for n, (zone, size, pin, over) in enumerate(models)
        ]
        self.clock, self.loader = Clock(), ManualLoader()
        self.context, self.policy, self.mortal = context, rules, mortal
        self.gpu = ObservedGpu(BUDGET + context + headroom, Behaviour(context=context, lag=lag, leak=leak), self.clock)
        self.told: list[str] = []
        self.arbiter = GpuArbiter(
            self.gpu,
            BUDGET,
            CpuArbiter(),
            context=context,
            headroom=headroom,
            rules=rules,
            loader=self.loader,
            lost=self.told.append,
            clock=self.clock,
        )
        self.ledger = self.arbiter._ledger
        self.leases: list[tuple[Modest, Lease]] = []
        self.over: list[Lease] = []
        self.answers: Counter[str] = Counter()
        self.served: set[str] = set()
        self.failing: Residency | None = None
        self.wrong: list[str] = []
        self._evict = self.ledger.evict
        self._patch = patch.object(self.ledger, "evict", self.evict)
        self._patch.start()
        for model in self.models[1:]:
            self.lease(model).end()

    # ---- what requests do ----

    @rule(crowd=st.lists(st.tuples(which, st.integers(1, 5), efforts), min_size=1, max_size=5), pause=pauses)
    def ask(self, crowd: Sequence[tuple[int, int, int]], pause: float) -> None:
        """Requests that end at once, several of each model; some of the work that they cause is done meanwhile."""
        for number, times, steps in crowd:
            model = self.model(number)
            for _ in range(times):
                self.end(model, self.work(model, self.lease(model)))
            self.step(number, steps)
        self.clock.sleep(pause)

    @rule(number=which)
    def hold(self, number: int) -> None:
        """A request that takes its time; its lease may outlive the model's retirement."""
        model = self.model(number)
        self.leases.append((model, self.lease(model)))

    @precondition(lambda self: self.leases)
    @rule(number=which, times=st.integers(1, 4))
    def let_go(self, number: int, times: int) -> None:
        """The work has ended."""
        for _ in range(min(times, len(self.leases))):
            self.end(*self.leases.pop(number % len(self.leases)))

    @precondition(lambda self: self.over)
    @rule(number=which)
    def end_again(self, number: int) -> None:
        """A handler that timed out ends what has ended."""
        self.over[-1 - number % len(self.over)].end()

    @precondition(lambda self: any(lease.device == CARD for _, lease in self.leases))
    @rule(number=which, lost=st.booleans())
    def fail(self, number: int, lost: bool) -> None:
        """The card fails at work: mostly for want of memory."""
        held = [one for one in self.leases if one[1].device == CARD]
        model, lease = held[number % len(held)]
        self.leases.remove((model, lease))
        error = DeviceLost("poisoned") if lost and self.mortal else OutOfDeviceMemory("full")
        self.leases.append((model, self.failover(model, lease, error)))

    def lease(self, model: Modest) -> Lease:
        """Given at once, of this model, on a session that is open."""
        known = any(one.tag == model.tag for one in self.arbiter.report().models)
        lease = self.arbiter.lease(model)
        assert lease.device in {CPU, CARD}
        assert any(network(lease.session) is session for session in model.sessions)
        assert lease.device == CPU or (known and not self.arbiter.loss)
        self.served.add(model.tag)
        return lease

    def work(self, model: Modest, lease: Lease) -> Lease:
        """Run it; what the card cannot finish the CPU does."""
        try:
            lease.session.run(INPUT)
        except DeviceError as error:
            return self.failover(model, lease, error)
        return lease

    def failover(self, model: Modest, lease: Lease, error: DeviceError) -> Lease:
        """Always answered by the CPU."""
        self.failing = self.ledger.get(model.tag)
        again = self.arbiter.failover(lease, error)
        self.failing = None
        self.over.append(lease)
        assert again.device == CPU
        assert any(again.session is session for session in model.sessions)
        return again

    def end(self, model: Modest, lease: Lease) -> None:
        """Counted once."""
        lease.end()
        self.over.append(lease)
        if lease.device == CARD and model.tag in self.served:
            self.answers[model.tag] += 1

    # ---- what happens meanwhile ----

    @rule(number=which, steps=efforts)
    def step(self, number: int, steps: int) -> None:
        """Any job goes on."""
        for _ in range(steps):
            self.clock.sleep(0.01 * self.loader.step(number))
            self.check()

    @rule()
    def settle(self) -> None:
        """All jobs to their end."""
        self.loader.finish(self.clock, 0.1)

    @rule(pause=pauses)
    def wait(self, pause: float) -> None:
        """Time goes on."""
        self.clock.sleep(pause)

    @rule()
    def tick(self) -> None:
        """The arbiter looks after itself."""
        self.arbiter.tick()

    @rule(size=st.just(0) | st.integers(0, 1500))
    def intrude(self, size: int) -> None:
        """A second program takes memory, more than is free, or gives it back."""
        self.gpu.other = size

    @rule(lag=st.sampled_from(LAGS), leak=st.sampled_from([0.0, 0.0, 0.0, 0.1, 0.5, 1.0]))
    def change(self, lag: float, leak: float) -> None:
        """Closed memory comes back otherwise from now on."""
        self.gpu.behave(Behaviour(context=self.context, lag=lag, leak=leak))

    @rule(number=which, broken=st.booleans(), warm=st.booleans(), times=st.integers(1, 2))
    def spoil(self, number: int, broken: bool, warm: bool, times: int) -> None:
        """The next loads of a model fail, at once or while it is warmed."""
        model = self.model(number)
        if model.tag in self.served:  # else its rehearsal would fail, and rightly
            error = ModelIntegrityError("broken") if broken else OutOfDeviceMemory("full")
            (model.cold if warm else model.failures).extend([error] * times)

    @precondition(lambda self: self.mortal)
    @rule(driver=st.booleans())
    def die(self, driver: bool) -> None:
        """The context is poisoned, or the driver gone."""
        self.gpu.dead |= driver
        self.gpu.poison()

    # ---- what an operator does ----

    @rule(number=which, act=st.sampled_from(["load", "load", "load", "unload"]))
    def operate(self, number: int, act: str) -> None:
        """Without waiting for it."""
        with suppress(Conflict):
            getattr(self.arbiter, act)(self.model(number).tag, 0)

    @rule(number=which)
    def retire(self, number: int) -> None:
        """Another version serves; this one may come back later."""
        model = self.model(number)
        model.failures.clear()
        model.cold.clear()
        self.arbiter.retire(model.tag)
        self.served.discard(model.tag)
        del self.answers[model.tag]

    @rule(rules=rules, stands=stands)
    def reconfigure(self, rules: Rules, stands: dict[str, Stand]) -> None:
        """While traffic runs."""
        self.policy = rules
        self.arbiter.reconfigure(rules, stands)

    def teardown(self) -> None:
        """Everything ends; nobody waits for ever, and the card holds what the books say."""
        if not hasattr(self, "arbiter"):
            return
        for model, lease in self.leases:
            self.end(model, lease)
        self.leases.clear()
        self.settle()
        self.check()
        if not self.arbiter.loss:
            assert all(entry.state is State.READY for entry in self.ledger), "somebody waits for ever"
        for model in self.models:
            self.arbiter.retire(model.tag)
        self.settle()
        self.check()
        if not self.arbiter.loss:
            self.clock.sleep(60)
            self.arbiter.tick()
            assert not list(self.ledger)
            assert self.ledger.charged == self.ledger.leaked == self.gpu.lost_bytes
            assert self.gpu.used == self.gpu.context + self.gpu.lost_bytes
        self._patch.stop()

    def model(self, number: int) -> Modest:
        """By number."""
        return self.models[number % len(self.models)]


CHECKED = settings(deadline=None, stateful_step_count=200, suppress_health_check=list(HealthCheck), print_blob=True)


@pytest.mark.unit
@pytest.mark.timeout(900)  # a failure is made small before it is shown
def test_any_order() -> None:
    """50 runs of 200 steps."""
    run_state_machine_as_test(Machine, settings=settings(CHECKED, max_examples=50))


@pytest.mark.load
@pytest.mark.timeout(3 * 60 * 60)
def test_any_order_for_long() -> None:
    """2 000 runs of 200 steps."""
    run_state_machine_as_test(Machine, settings=settings(CHECKED, max_examples=2000))
