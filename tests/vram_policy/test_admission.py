"""Who gets in, by the plan, the books and the card together."""

from __future__ import annotations

import pytest

from facesocial.errors import Conflict, OutOfDeviceMemory
from tests.vram_policy.bench import Bench
from tests.vram_policy.fakes import FakeModel
from vram_policy.plan import Reason, Rules
from vram_policy.simulated import Behaviour

pytestmark = pytest.mark.unit


def test_a_newcomer_waits_for_those_who_are_leaving() -> None:
    """Instead of driving out others for memory that will be free in a moment."""
    bench = Bench(behaviour=Behaviour(lag=1.0))
    leaving, staying, new = FakeModel("leaving:1", size=500), FakeModel("staying:1", size=400), FakeModel(size=500)
    bench.bring(leaving, staying)
    bench.know(new)
    with pytest.raises(Conflict, match="still on"):
        bench.arbiter.unload(leaving.tag, 0)
    bench.ask(new)
    assert bench.of(new).note == "others are leaving"
    bench.settle()
    bench.ask(new)
    bench.settle()
    assert bench.ask(new) == bench.ask(staying) == "simulated:0"
    assert bench.arbiter.report().counts.evictions == 0


def test_what_is_promised_is_not_given_twice() -> None:
    """Two newcomers in one moment, room for one: the second is not let in, and evicts nobody who is on the way."""
    bench, first, second = Bench(), FakeModel("first:1", size=600), FakeModel("second:1", size=600)
    bench.know(first, second)
    bench.ask(first)
    bench.ask(second)
    assert [bench.of(one).state for one in (first, second)] == ["loading", "absent"]
    assert bench.of(second).note == Reason.NO_VICTIM.value
    bench.settle()
    assert bench.gpu.peak == 600


def test_a_run_out_of_memory_keeps_the_model_away_and_the_young_there() -> None:
    """Residency protects the young from others' faults too."""
    bench = Bench(rules=Rules(policy="lru", residency=30.0))
    old, young, model = (FakeModel(f"{name}:1", size=200) for name in ("old", "young", "model"))
    bench.bring(old)
    bench.clock.sleep(31)
    bench.bring(young, model)
    bench.arbiter.failover(bench.arbiter.lease(model), OutOfDeviceMemory("full")).end()
    bench.settle()
    assert [bench.of(one).state for one in (old, young, model)] == ["absent", "ready", "absent"]
    assert bench.ask(model) == "cpu"
    assert bench.of(model).note == "left alone for a while: full"


def test_a_card_whose_own_numbers_are_worse_than_the_books_has_less_room() -> None:
    """What nobody explains is charged; it gives way when that is more than the budget."""
    bench = Bench(total=2000, budget=1000)
    model = FakeModel(size=600)
    bench.bring(model)
    hidden = bench.gpu.open(FakeModel("hidden:1", size=500))
    bench.arbiter.tick()
    assert bench.arbiter.report().unaccounted == 500
    bench.settle()
    assert bench.of(model).state == "absent"
    assert bench.arbiter.report().charged == 500
    hidden.close()
    bench.arbiter.tick()
    assert bench.arbiter.report().charged == 0


def test_an_operator_needs_no_profit() -> None:
    """A model that does not pay is loaded when he says so, but drives nobody out of a higher zone."""
    bench = Bench(rules=Rules(residency=0.0))
    high, flexible = FakeModel("high:1", size=800), FakeModel("flexible:1", zone="flexible", size=300)
    bench.bring(high)
    bench.know(flexible)
    with pytest.raises(Conflict, match="nobody may be evicted"):
        bench.arbiter.load(flexible.tag, 0)
    other = FakeModel("other:1", zone="flexible", size=100)
    bench.know(other)
    bench.ask(other)
    assert bench.of(other).note == "a flexible model loads on its second request"
    with pytest.raises(Conflict, match="is not on"):
        bench.arbiter.load(other.tag, 0)
    bench.settle()
    assert bench.ask(other) == "simulated:0"
