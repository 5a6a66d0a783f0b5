"""The card that is not there: memory, lag, leaks and faults as told."""

from __future__ import annotations

import pytest

from facesocial.errors import DeviceLost, ModelIntegrityError, OutOfDeviceMemory
from tests.vram_policy.fakes import INPUT, FakeModel
from tests.vram_policy.manual import Clock
from vram_policy.simulated import Behaviour, SimulatedGpu

pytestmark = pytest.mark.unit


def card(behaviour: Behaviour | None = None) -> tuple[SimulatedGpu, Clock]:
    """Of 1000 bytes, in a time that stands still."""
    clock = Clock()
    return SimulatedGpu(1000, behaviour, index=2, clock=clock, sleep=clock.sleep), clock


def test_a_session_takes_its_memory_and_gives_it_back() -> None:
    """The context comes with the first and stays; the card is never called cuda."""
    gpu, _ = card(Behaviour(context=50))
    assert gpu.device == "simulated:2"
    assert gpu.memory().own == 0
    session = gpu.open(FakeModel(size=300))
    assert session.run(INPUT)["device"] == "cpu"
    assert (gpu.memory().own, gpu.memory().free) == (350, 650)
    session.close()
    session.close()
    assert (gpu.memory().own, gpu.peak) == (50, 350)


def test_closed_memory_comes_back_late_and_not_all_of_it() -> None:
    """A tenth leaks; the rest needs two seconds."""
    gpu, clock = card(Behaviour(lag=2.0, leak=0.1))
    gpu.open(FakeModel(size=300)).close()
    clock.sleep(1.9)
    assert gpu.memory().own == 300
    clock.sleep(0.1)
    assert gpu.memory().own == 30


def test_a_load_takes_its_time() -> None:
    """100 bytes a second."""
    gpu, clock = card(Behaviour(load_speed=100))
    began = clock()
    gpu.open(FakeModel(size=300))
    assert clock() - began == 3


def test_what_does_not_fit_is_refused() -> None:
    """Beside our own, and beside a second program."""
    gpu, _ = card()
    gpu.open(FakeModel(size=600))
    with pytest.raises(OutOfDeviceMemory):
        gpu.open(FakeModel(size=401))
    gpu.other = 300
    with pytest.raises(OutOfDeviceMemory):
        gpu.open(FakeModel(size=101))
    gpu.other = 700
    assert gpu.memory().free == -300


def test_a_model_that_cannot_be_opened_takes_nothing() -> None:
    """Its memory is given back."""
    gpu, _ = card()
    with pytest.raises(ModelIntegrityError):
        gpu.open(FakeModel(failures=[ModelIntegrityError("broken")]))
    assert gpu.memory().own == 0


def test_it_fails_when_it_is_told_to() -> None:
    """The second load, the second run, and everything from the fourth run on."""
    gpu, _ = card(Behaviour(oom_at=[("load", 2), ("run", 2)], stickiness=4))
    session = gpu.open(FakeModel())
    with pytest.raises(OutOfDeviceMemory):
        gpu.open(FakeModel())
    session.run(INPUT)
    with pytest.raises(OutOfDeviceMemory):
        session.run(INPUT)
    session.run(INPUT)
    for _ in range(2):
        with pytest.raises(DeviceLost):
            session.run(INPUT)
    with pytest.raises(DeviceLost):
        gpu.open(FakeModel())
