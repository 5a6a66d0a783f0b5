"""The CPU arbiter: one session per model, opened once, whatever the crowd."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from facesocial.errors import OutOfDeviceMemory
from tests.vram_policy.fakes import INPUT, FakeModel, FakeSession
from vram_policy import CpuArbiter, Lease

pytestmark = pytest.mark.unit


def shut(model: FakeModel) -> FakeModel:
    """It opens when its gate does."""
    model.gate.clear()
    return model


def test_a_crowd_loads_once() -> None:
    """32 callers of a cold model: one load, one session."""
    arbiter, model, arrived = CpuArbiter(), shut(FakeModel()), threading.Barrier(33)

    def ask() -> object:
        arrived.wait(5)
        with arbiter.lease(model) as lease:
            return lease.session

    with ThreadPoolExecutor(32) as pool:
        sessions = [pool.submit(ask) for _ in range(32)]
        arrived.wait(5)
        model.gate.set()
        assert len({id(future.result(5)) for future in sessions}) == 1
    assert model.opened == ["cpu"]


def test_the_device_is_told() -> None:
    """A lease says where it runs."""
    model = FakeModel()
    with CpuArbiter().lease(model) as lease:
        assert lease.device == "cpu"


def test_a_failed_load_is_tried_again() -> None:
    """The caller that met the failure sees it; the next one loads."""
    arbiter, model = CpuArbiter(), FakeModel(failures=[OSError("no weights")])
    with pytest.raises(OSError, match="no weights"), arbiter.lease(model):
        pass
    with arbiter.lease(model) as lease:
        assert lease.session.run(INPUT)["device"] == "cpu"
    assert len(model.opened) == 2


def test_one_slow_load_does_not_hold_up_another_model() -> None:
    """Loads of different models run side by side."""
    arbiter, slow, quick = CpuArbiter(), shut(FakeModel("slow:1")), FakeModel("quick:1")

    def wait() -> None:
        with arbiter.lease(slow):
            pass

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(wait)
        with arbiter.lease(quick) as lease:
            assert lease.session.run(INPUT)["device"] == "cpu"
        slow.gate.set()
        waiting.result(5)


def test_a_retired_model_is_opened_anew_and_a_lease_outlives_it() -> None:
    """Nobody's session is taken away while it is used."""
    arbiter, model = CpuArbiter(), FakeModel()
    with arbiter.lease(model) as lease:
        arbiter.retire(model.tag)
        assert lease.session.run(INPUT)["device"] == "cpu"
    arbiter.retire("unknown:1")
    with arbiter.lease(model) as again:
        assert again.session is not lease.session
    assert model.opened == ["cpu", "cpu"]


def test_a_lease_ends_once() -> None:
    """However often it is told to."""
    ended: list[int] = []
    lease = Lease(FakeSession("cpu"), "cpu", lambda lease: ended.append(lease.id))
    with lease:
        lease.end()
    lease.end()
    assert ended == [lease.id]


def test_nothing_stands_behind_the_cpu() -> None:
    """A failure there is the caller's."""
    arbiter, model = CpuArbiter(), FakeModel()
    with pytest.raises(OutOfDeviceMemory):
        arbiter.failover(arbiter.lease(model), OutOfDeviceMemory("full"))


class Fleeting(FakeModel):
    """Retired whenever somebody looks at it once it is loaded: another thread's doing, at the worst moments."""

    arbiter = CpuArbiter()

    def __getattribute__(self, name: str) -> object:
        if name == "tag" and self.opened:
            self.arbiter.retire("model:1")
        return super().__getattribute__(name)


def test_a_model_retired_while_it_is_asked_for_is_answered_all_the_same() -> None:
    """The session that was opened is used, whether or not it is kept."""
    model = Fleeting()
    with model.arbiter.lease(model) as lease:
        assert lease.session.run(INPUT)["device"] == "cpu"
