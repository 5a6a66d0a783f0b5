"""The arbiter of a card when something fails: memory, the card, a model, other programs (R8 to R10)."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from facesocial.errors import Conflict, DeviceLost, ModelIntegrityError, OutOfDeviceMemory
from tests.vram_policy.bench import Bench, eventually, threaded
from tests.vram_policy.fakes import INPUT, FakeModel
from tests.vram_policy.manual import Clock, ManualLoader
from tests.vram_policy.observed import ObservedGpu
from vram_policy import CpuArbiter
from vram_policy.arbiter import GpuArbiter
from vram_policy.plan import Reason
from vram_policy.simulated import Behaviour, Moment, SimulatedGpu

pytestmark = pytest.mark.unit

OUT_OF_MEMORY: Sequence[Moment] = (("load", 2), ("load", 3))


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
    assert bench.of(second).note == Reason.NO_VICTIM.value


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
