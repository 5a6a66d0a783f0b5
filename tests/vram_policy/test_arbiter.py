"""The arbiter of a card: R1 to R12 of the reliability checks that concern one process, on a simulated card."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from facesocial.errors import Conflict
from tests.vram_policy.bench import AT_ONCE, Bench, eventually, threaded
from tests.vram_policy.fakes import INPUT, FakeModel
from vram_policy.plan import Reason
from vram_policy.simulated import Behaviour, SimulatedGpu
from vram_policy.zones import Stand

pytestmark = pytest.mark.unit


def test_the_first_lease_is_a_rehearsal() -> None:
    """The CPU session comes first; the card is asked for nothing, but by a critical model."""
    bench, high, critical = Bench(), FakeModel(), FakeModel("critical:1", zone="critical")
    bench.know(high, critical)
    bench.settle()
    assert high.opened == ["cpu"]
    assert bench.of(critical).state == "ready"
    assert bench.of(high).counts.spills == 0


def test_r1_a_crowd_loads_once() -> None:
    """32 threads ask one cold model: one load, 32 answers of the CPU, a peak of one model."""
    gpu, model = SimulatedGpu(1000, Behaviour(load_speed=500)), FakeModel()
    with threaded(gpu, 1000) as arbiter, ThreadPoolExecutor(32) as pool:
        arbiter.lease(model).end()
        arrived = threading.Barrier(32)

        def ask() -> str:
            arrived.wait(5)
            with arbiter.lease(model) as lease:
                lease.session.run(INPUT)
                return lease.device

        assert [future.result(5) for future in [pool.submit(ask) for _ in range(32)]] == ["cpu"] * 32
        eventually(lambda: gpu.memory().own == 100 and arbiter.report().models[0].state == "ready")
        assert len(model.opened) == 2
        assert gpu.peak == 100
        assert arbiter.lease(model).device == "simulated:0"


@pytest.mark.parametrize(("crowd", "rounds"), [(8, 256), pytest.param(32, 1024, marks=pytest.mark.load)])
def test_r2_loads_and_unloads_of_one_model_by_many(crowd: int, rounds: int) -> None:
    """No deadlock, only the refusals that are meant, nothing used at the end."""
    gpu, model = SimulatedGpu(1000), FakeModel()
    refused: list[str] = []
    with threaded(gpu, 1000) as arbiter:
        arbiter.lease(model).end()

        def churn() -> None:
            for _ in range(rounds):
                for act in (arbiter.load, arbiter.unload):
                    try:
                        act(model.tag, 20)
                    except Conflict as error:
                        refused.append(str(error))

        with ThreadPoolExecutor(crowd) as pool:
            for future in [pool.submit(churn) for _ in range(crowd)]:
                future.result(240)
        arbiter.unload(model.tag)
        assert gpu.memory().own == 0
        assert arbiter.report().charged == 0
        arbiter.load(model.tag)
        assert arbiter.lease(model).device == "simulated:0"
    assert {text for text in refused if "unloaded" not in text and "still on" not in text} == set()


def test_r3_an_unload_waits_for_the_load_it_met() -> None:
    """Both return, the model is not there."""
    gpu, model = SimulatedGpu(1000, Behaviour(load_speed=400)), FakeModel()
    with threaded(gpu, 1000) as arbiter, ThreadPoolExecutor(2) as pool:
        arbiter.lease(model).end()
        load = pool.submit(arbiter.load, model.tag)
        eventually(lambda: arbiter.report().models[0].state == "loading")
        unload = pool.submit(arbiter.unload, model.tag)
        unload.result(5)
        with pytest.raises(Conflict, match="unloaded"):
            load.result(5)
        assert arbiter.report().models[0].state == "absent"
        assert gpu.memory().own == 0


def test_r4_two_models_load_side_by_side() -> None:
    """Half a second each, less than three quarters together."""
    gpu, models = SimulatedGpu(1000, Behaviour(load_speed=200)), (FakeModel("a:1"), FakeModel("b:1"))
    with threaded(gpu, 1000) as arbiter, ThreadPoolExecutor(2) as pool:
        for model in models:
            arbiter.lease(model).end()
        began = time.monotonic()
        for future in [pool.submit(arbiter.load, model.tag) for model in models]:
            future.result(5)
        assert 0.5 <= time.monotonic() - began < 0.75


def test_r5_the_victim_is_gone_before_the_newcomer_is_loaded() -> None:
    """600 idle, 600 asked for, 1000 there: never more than 1000 used, even when memory is slow to come back."""
    bench = Bench(behaviour=Behaviour(lag=0.5))
    first, second = FakeModel("first:1", size=600), FakeModel("second:1", size=600)
    bench.bring(first)
    bench.know(second)
    assert bench.ask(second) == "cpu"
    assert bench.of(first).state == "unloading"
    assert bench.of(second).state == "reserved"
    bench.settle()
    assert bench.of(first).state == "absent"
    assert bench.ask(second) == "simulated:0"
    assert bench.gpu.peak <= 1000
    assert first.sessions[-1].closed == 1


def test_r6_what_fits_beside_evicts_nobody() -> None:
    """400 and 400 of 1000."""
    bench = Bench()
    bench.bring(FakeModel("a:1", size=400), FakeModel("b:1", size=400))
    assert bench.arbiter.report().counts.evictions == 0


def test_r7_the_victim_is_of_the_lowest_zone_and_longest_idle() -> None:
    """Leased and critical never; when nobody may leave, the CPU answers."""
    bench = Bench()
    models = {
        "critical": FakeModel("critical:1", zone="critical", size=250),
        "high": FakeModel("high:1", zone="high", size=250),
        "old": FakeModel("old:1", zone="flexible", size=250),
        "young": FakeModel("young:1", zone="flexible", size=250),
    }
    for model in models.values():
        bench.bring(model)
        bench.clock.sleep(10)
    bench.ask(models["high"])
    newcomer = FakeModel("newcomer:1", zone="high", size=250)
    bench.know(newcomer)
    with bench.arbiter.lease(models["old"]):
        bench.ask(newcomer)
        bench.settle()
        assert bench.of(models["young"]).state == "absent"
    held = [bench.arbiter.lease(models[name]) for name in ("high", "old")] + [bench.arbiter.lease(newcomer)]
    assert bench.ask(models["young"]) == "cpu"
    assert bench.of(models["young"]).note == Reason.NO_VICTIM.value
    for lease in held:
        lease.end()
    assert bench.of(models["critical"]).state == "ready"


def test_r11_the_ledger_is_the_card_after_each_unload() -> None:
    """Exactly, on a card that does what it is told."""
    bench = Bench()
    models = [FakeModel(f"m:{size}", size=size) for size in (100, 200, 300)]
    bench.bring(*models)
    for model in models:
        with ThreadPoolExecutor(1) as pool:
            unload = pool.submit(bench.arbiter.unload, model.tag)
            eventually(lambda: bool(bench.loader.jobs))
            bench.settle()
            unload.result(5)
        assert bench.arbiter.report().charged == bench.gpu.memory().own


@pytest.mark.parametrize(("size", "fits"), [(790, True), (810, False)])
def test_r12_the_budget_is_the_limit(size: int, fits: bool) -> None:
    """80 % of the card: 79 % goes in, 81 % stays on the CPU and is refused to an operator."""
    model = FakeModel(size=size)
    with threaded(SimulatedGpu(1000), 800) as arbiter:
        arbiter.lease(model).end()
        if fits:
            arbiter.load(model.tag)
        else:
            with pytest.raises(Conflict, match="larger than the budget"):
                arbiter.load(model.tag)
        assert arbiter.lease(model).device == ("simulated:0" if fits else "cpu")


def test_a_timed_out_handler_keeps_its_lease() -> None:
    """What it holds is not evicted before its work ends, and then leaves."""
    bench = Bench()
    model, other = FakeModel(size=600), FakeModel("other:1", size=600)
    bench.bring(model)
    bench.know(other)
    lease = bench.arbiter.lease(model)
    assert bench.ask(other) == "cpu"
    bench.settle()
    assert model.sessions[-1].closed == 0
    bench.arbiter.retire(model.tag)
    assert bench.arbiter.report().charged == 600
    lease.end()
    bench.settle()
    assert model.sessions[-1].closed == 1
    assert bench.arbiter.report().charged == 0


def test_zone_and_pin_change_while_traffic_runs() -> None:
    """What was evictable is pinned now."""
    bench = Bench()
    model, other = FakeModel(size=600), FakeModel("other:1", size=600)
    bench.bring(model)
    bench.know(other)
    bench.arbiter.reconfigure(AT_ONCE, {"model": Stand("flexible", pin=True)})
    assert bench.ask(other) == "cpu"
    assert bench.of(other).note == Reason.NO_VICTIM.value
    assert (bench.of(model).zone, bench.of(model).pin) == ("flexible", True)
    bench.arbiter.reconfigure(AT_ONCE, {})
    bench.ask(other)
    bench.settle()
    assert bench.ask(other) == "simulated:0"


def test_an_operators_unload_holds_until_his_load() -> None:
    """Traffic alone does not bring it back."""
    model = FakeModel()
    with threaded(SimulatedGpu(1000), 1000) as arbiter:
        arbiter.lease(model).end()
        arbiter.load(model.tag)
        arbiter.unload(model.tag)
        for _ in range(3):
            assert arbiter.lease(model).device == "cpu"
        assert arbiter.report().models[0].note == "unloaded by an operator"
        arbiter.load(model.tag)
        assert arbiter.lease(model).device == "simulated:0"
        with pytest.raises(Conflict, match="not served here"):
            arbiter.load("unknown:1")


def test_an_unload_that_is_not_waited_for_happens_all_the_same() -> None:
    """When the lease has ended."""
    bench, model = Bench(), FakeModel()
    bench.bring(model)
    lease = bench.arbiter.lease(model)
    with pytest.raises(Conflict, match="held by 1"):
        bench.arbiter.unload(model.tag, 0)
    lease.end()
    bench.settle()
    assert bench.of(model).state == "absent"
    assert bench.of(model).charged == 0
