"""Loads and unloads that go wrong: what was taken stays charged until the card says that it is free."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from facesocial.errors import DeviceLost, ModelIntegrityError, OutOfDeviceMemory
from tests.vram_policy.bench import AT_ONCE, Bench
from tests.vram_policy.fakes import FakeModel
from tests.vram_policy.manual import Clock, ManualLoader
from tests.vram_policy.observed import Modest, ObservedGpu
from vram_policy import CpuArbiter
from vram_policy.arbiter import GpuArbiter
from vram_policy.simulated import Behaviour
from vram_policy.transitions import RELEASE_SECONDS

pytestmark = pytest.mark.unit


class Watched(Bench):
    """A card whose sessions are all known."""

    def __init__(self, behaviour: Behaviour) -> None:
        self.clock, self.loader = Clock(), ManualLoader()
        self.card = self.gpu = ObservedGpu(1000, behaviour, self.clock)
        self.lost = []
        self.arbiter = GpuArbiter(
            self.gpu,
            1000 - behaviour.context,
            CpuArbiter(),
            context=behaviour.context,
            headroom=0,
            rules=AT_ONCE,
            loader=self.loader,
            lost=self.lost.append,
            clock=self.clock,
        )

    @property
    def charged(self) -> int:
        """By the books."""
        return self.arbiter.report().charged

    def step_until(self, true: Callable[[], bool]) -> None:
        """Soon, or the test fails."""
        assert any(true() for _ in range(20) if true() or self.loader.step())


@pytest.mark.parametrize("error", [ModelIntegrityError("broken"), OutOfDeviceMemory("full"), ZeroDivisionError()])
def test_a_model_that_cannot_be_warmed_is_closed_and_charged_until_it_is_gone(error: Exception) -> None:
    """However it failed."""
    bench, model = Watched(Behaviour(lag=1.0)), Modest(size=300, cold=[error])
    bench.know(model)
    bench.ask(model)
    bench.step_until(lambda: bool(bench.card.sessions) and not bench.card.open_sessions)
    bench.clock.sleep(0.9)
    bench.loader.step()
    assert bench.charged == bench.card.used == 300
    bench.settle()
    assert bench.charged == bench.card.used == 0
    assert bench.of(model).counts.failures == 1


def test_what_a_failed_attempt_keeps_is_no_room_for_the_next() -> None:
    """600 of 1000 leak at the first attempt: there is no second one, and no byte too many is used."""
    bench, idle, model = Watched(Behaviour(leak=1.0)), Modest("idle:1", size=10), Modest(size=600)
    bench.bring(idle)
    bench.know(model)
    model.cold = [OutOfDeviceMemory("full")]
    bench.ask(model)
    bench.settle()
    assert bench.charged == bench.card.used == 610
    assert bench.of(model).state == "absent"
    assert len(model.opened) == 2


def test_an_attempt_that_is_to_be_repeated_may_be_called_off() -> None:
    """Its model is retired while its memory is on its way: it leaves, and does not come again."""
    bench, idle, model = Watched(Behaviour(lag=1.0)), Modest("idle:1", size=10), Modest(size=600)
    bench.bring(idle)
    bench.know(model)
    model.cold = [OutOfDeviceMemory("full")]
    bench.ask(model)
    bench.step_until(lambda: bench.card.used > 600 and bench.of(model).state == "unloading")
    bench.arbiter.retire(model.tag)
    bench.settle()
    assert bench.charged == bench.card.used == 0
    assert len(model.opened) == 2


def test_a_load_beside_which_another_came_is_not_measured() -> None:
    """The other's bytes are not its own."""
    bench, first, long, short = (
        Watched(Behaviour(context=50)),
        Modest("first:1", size=100),
        Modest("long:1", size=100, said=150, measured=False),
        Modest("short:1", size=200, said=250, measured=False),
    )
    bench.bring(first)
    bench.know(long, short)
    bench.ask(long)
    bench.loader.step()  # it is open, and not warm yet
    bench.ask(short)
    for _ in range(3):
        bench.loader.step(-1)
    assert bench.of(short).state == "ready"
    bench.settle()
    assert [bench.of(model).measured for model in (long, short)] == [None, None]
    assert bench.charged == 100 + 150 + 250


def test_a_load_is_not_measured_while_closed_memory_may_be_on_its_way() -> None:
    """The slack of an estimate hides what a closed session still holds; later the truth is found."""
    bench = Watched(Behaviour(context=50, lag=1.0))
    slack = Modest("slack:1", size=100, said=500, measured=False)
    old, new = Modest("old:1", size=200), Modest("new:1", size=200, said=300, measured=False)
    bench.bring(slack, old)
    bench.know(new)
    bench.arbiter.retire(old.tag)
    bench.loader.step()
    assert bench.card.used == 350
    bench.ask(new)
    bench.settle()
    assert bench.of(new).measured is None
    bench.arbiter.retire(new.tag)
    bench.settle()
    bench.clock.sleep(RELEASE_SECONDS)
    bench.bring(new)
    assert bench.of(new).measured == 200


def test_a_session_that_cannot_be_closed_holds_nobody_up() -> None:
    """Its memory counts as leaked, for the card says so; others come and go."""
    bench, stuck, other = Bench(), FakeModel("stuck:1", size=600), FakeModel("other:1", size=300)
    bench.bring(stuck)

    def refuse() -> None:
        raise RuntimeError("no handle")

    stuck.sessions[-1].close = refuse  # type: ignore[method-assign]
    bench.arbiter.retire(stuck.tag)
    bench.settle()
    assert bench.arbiter.report().leaked == 600
    bench.bring(other)
    bench.arbiter.retire(other.tag)
    bench.settle()
    assert bench.arbiter.report().charged == 600


def test_a_card_that_dies_while_a_model_is_warmed_keeps_its_charge() -> None:
    """A poisoned context gives nothing back; the loss is told once."""
    bench, model = Watched(Behaviour()), Modest(size=300, cold=[DeviceLost("poisoned")])
    bench.know(model)
    bench.ask(model)
    bench.loader.step()
    bench.card.dead = True
    bench.settle()
    assert bench.lost == ["poisoned"]
    assert bench.charged == 300
    assert bench.ask(model) == "cpu"
