"""The arbiter of a card: R1 to R12 of the reliability checks that concern one process, on a simulated card."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from facesocial.errors import Conflict, DeviceLost, ModelIntegrityError, OutOfDeviceMemory
from tests.vram_policy.bench import AT_ONCE, Bench, eventually, threaded
from tests.vram_policy.fakes import INPUT, FakeModel
from tests.vram_policy.manual import Clock, ManualLoader
from tests.vram_policy.observed import ObservedGpu
from vram_policy import CpuArbiter
from vram_policy.arbiter import GpuArbiter
from vram_policy.simulated import Behaviour, Moment, SimulatedGpu
from vram_policy.zones import Stand

pytestmark = pytest.mark.unit

OUT_OF_MEMORY: Sequence[Moment] = (("load", 2), ("load", 3))


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
    assert bench.of(models["young"]).note == "nobody may be evicted for it"
    for lease in held:
        lease.end()
    assert bench.of(models["critical"]).state == "ready"


@pytest.mark.parametrize(("times", "device"), [(1, "simulated:0"), (2, "cpu")])
def test_r8_out_of_memory_at_a_load(times: int, device: str) -> None:
    """Once: the idle leave and the load is tried again. Twice: the CPU answers, there is no third try."""
    bench = Bench(behaviour=Behaviour(oom_at=OUT_OF_MEMORY[:times]))
    resident, model = FakeModel("resident:1", size=400), FakeModel(size=400)
    bench.bring(resident)
    bench.know(model)
    assert bench.ask(model) == "cpu"
    bench.settle()
    assert bench.of(resident).state == "absent"
    for _ in range(5):
        assert bench.ask(model) == device
        bench.settle()
    assert len(model.opened) == (2 if times == 1 else 1)  # the CPU's, and the one that worked
    assert bench.arbiter.report().charged == (400 if times == 1 else 0)


def test_r8_an_operator_is_told_that_the_card_is_full() -> None:
    """No load without end."""
    gpu, model = SimulatedGpu(1000, Behaviour(oom_at=[("load", 1), ("load", 2)])), FakeModel()
    with threaded(gpu, 1000) as arbiter:
        arbiter.lease(model).end()
        with pytest.raises(Conflict, match="told to have no memory"):
            arbiter.load(model.tag, 5)
        assert gpu.memory().own == 0


def test_r9_out_of_memory_at_a_run() -> None:
    """The request is answered by the CPU; the failed session and the idle ones leave; it is counted."""
    bench = Bench(behaviour=Behaviour(oom_at=[("run", 57)]))
    idle, model = FakeModel("idle:1", size=400), FakeModel(size=400)
    for one in (idle, model):
        bench.know(one)
        bench.ask(one)
        bench.settle()
    devices = []
    for _ in range(100):
        lease = bench.arbiter.lease(model)
        try:
            lease.session.run(INPUT)
        except OutOfDeviceMemory as error:
            with bench.arbiter.failover(lease, error) as lease:
                lease.session.run(INPUT)
        lease.end()
        devices.append(lease.device)
    assert devices[:56] == ["simulated:0"] * 56
    assert devices[56:] == ["cpu"] * 44
    bench.settle()
    assert bench.of(idle).state == bench.of(model).state == "absent"
    counts = bench.of(model).counts
    assert (counts.out_of_memory, counts.failovers) == (1, 1)
    assert bench.arbiter.report().charged == bench.gpu.memory().own == 0


def test_r10_a_model_that_cannot_be_loaded_evicts_nobody() -> None:
    """It fails at once; the others stay."""
    bench = Bench()
    resident, broken = FakeModel("resident:1", size=400), FakeModel("broken:1", size=400)
    bench.bring(resident)
    bench.know(broken)
    broken.failures = [ModelIntegrityError("not a protobuf")]
    assert bench.ask(broken) == "cpu"
    bench.settle()
    assert bench.ask(resident) == "simulated:0"
    assert bench.ask(broken) == "cpu"
    assert bench.of(broken).note == "left alone for a while: not a protobuf"
    assert bench.arbiter.report().counts.evictions == 0
    bench.clock.sleep(31)
    bench.ask(broken)
    bench.settle()
    assert bench.ask(broken) == "simulated:0"


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


def test_a_lost_card_is_not_used_again() -> None:
    """The request is answered, the loss is told once, everything runs on the CPU from then on."""
    bench = Bench(behaviour=Behaviour(stickiness=3))
    model = FakeModel()
    bench.bring(model)
    for _ in range(4):
        lease = bench.arbiter.lease(model)
        try:
            lease.session.run(INPUT)
        except DeviceLost as error:
            lease = bench.arbiter.failover(lease, error)
            assert lease.device == "cpu"
        lease.end()
    assert len(bench.lost) == 1
    assert bench.ask(model) == "cpu"
    report = bench.arbiter.report()
    assert report.lost
    assert report.counts.failovers == 1


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


def test_a_leak_lowers_the_capacity_until_it_is_given_back() -> None:
    """Half of what was closed stays: the next model has so much less room."""
    bench = Bench(behaviour=Behaviour(leak=0.5))
    first, second = FakeModel("first:1", size=600), FakeModel("second:1", size=800)
    bench.bring(first)
    bench.know(second)
    bench.ask(second)
    bench.settle()
    report = bench.arbiter.report()
    assert report.leaked == bench.gpu.memory().own == 300
    assert bench.of(second).state == "absent"
    bench.clock.sleep(31)
    assert bench.ask(second) == "cpu"
    assert bench.of(second).note == "nobody may be evicted for it"


def test_a_second_program_is_given_way() -> None:
    """The headroom is kept: who is idle leaves, and nobody comes in before there is room."""
    bench = Bench()
    old, new = FakeModel("old:1", size=400), FakeModel("new:1", size=400)
    bench.bring(old)
    bench.know(new)
    bench.gpu.other = 700
    assert bench.ask(new) == "cpu"
    bench.arbiter.tick()
    bench.settle()
    assert bench.of(old).state == "absent"
    bench.gpu.other = 0
    bench.ask(new)
    bench.settle()
    assert bench.ask(new) == "simulated:0"


def test_zone_and_pin_change_while_traffic_runs() -> None:
    """What was evictable is pinned now."""
    bench = Bench()
    model, other = FakeModel(size=600), FakeModel("other:1", size=600)
    bench.bring(model)
    bench.know(other)
    bench.arbiter.reconfigure(AT_ONCE, {"model": Stand("flexible", pin=True)})
    assert bench.ask(other) == "cpu"
    assert bench.of(other).note == "nobody may be evicted for it"
    assert (bench.of(model).zone, bench.of(model).pin) == ("flexible", True)
    bench.arbiter.reconfigure(AT_ONCE, {})
    bench.ask(other)
    bench.settle()
    assert bench.ask(other) == "simulated:0"


def test_a_critical_model_comes_back_by_itself() -> None:
    """After its load failed, when the pause is over."""
    bench, model = Bench(behaviour=Behaviour(oom_at=[("load", 1)])), FakeModel("critical:1", zone="critical")
    bench.know(model)
    bench.settle()
    assert bench.of(model).state == "absent"
    bench.arbiter.tick()
    assert not bench.loader.jobs
    bench.clock.sleep(31)
    bench.arbiter.tick()
    bench.settle()
    assert bench.ask(model) == "simulated:0"


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


def test_a_failover_does_not_bring_a_retired_model_back() -> None:
    """Its work is finished by the CPU; nobody keeps a book or a session of it, and no tick loads it."""
    bench, model = Bench(), FakeModel("old:1", zone="critical")
    bench.bring(model)
    lease = bench.arbiter.lease(model)
    bench.arbiter.retire(model.tag)
    with bench.arbiter.failover(lease, OutOfDeviceMemory("full")) as again:
        assert again.device == "cpu"
    bench.settle()
    bench.clock.sleep(3600)
    bench.arbiter.tick()
    bench.settle()
    report = bench.arbiter.report()
    assert report.models == ()
    assert report.charged == 0
    assert not bench.arbiter._cpu.holds(model.tag)


def test_a_note_stays_short() -> None:
    """However often a model is asked for that is left alone."""
    bench, model = Bench(), FakeModel()
    bench.bring(model)
    bench.arbiter.failover(bench.arbiter.lease(model), OutOfDeviceMemory("no room for the run")).end()
    bench.settle()
    for _ in range(5):
        bench.ask(model)
    assert bench.of(model).note == "left alone for a while: no room for the run"


@pytest.mark.parametrize("act", ["load", "unload"])
def test_an_operator_is_told_of_a_card_that_is_gone(act: str) -> None:
    """The driver dies before his load, or while a model leaves: a refusal at once, and the loss is told."""
    card, model, told, loader = ObservedGpu(1000, Behaviour(), Clock()), FakeModel(), list[str](), ManualLoader()
    arbiter = GpuArbiter(card, 1000, CpuArbiter(), context=0, headroom=0, lost=told.append, loader=loader)
    arbiter.lease(model).end()
    if act == "unload":
        arbiter.lease(model).end()
        loader.finish(Clock())
    card.dead = True
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(getattr(arbiter, act), model.tag, 20)
        eventually(lambda: bool(loader.jobs) or waiting.done())
        loader.finish(Clock())
        with pytest.raises(Conflict, match=r"not on|still on"):
            waiting.result(5)
    assert told == ["the driver does not answer"]


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
