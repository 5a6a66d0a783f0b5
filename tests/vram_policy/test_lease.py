"""The CPU arbiter: one session per model, opened once, whatever the crowd."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Literal

import pytest

from vram_policy import CpuArbiter
from vram_policy.lease import Array

pytestmark = pytest.mark.unit


class FakeSession:
    """Answers nothing."""

    def run(self, inputs: Sequence[Array]) -> dict[str, Array]:
        """No outputs."""
        return {}


@dataclass
class FakeModel:
    """Opens when the gate does; fails as long as it has failures left."""

    tag: str = "model:1"
    zone: Literal["critical", "high", "flexible"] = "high"
    pin: bool = False
    failures: int = 0
    gate: threading.Event = field(default_factory=threading.Event)
    opened: list[str] = field(default_factory=list)

    def open(self, device: str) -> FakeSession:
        """Count, wait, maybe fail."""
        self.opened.append(device)
        assert self.gate.wait(5)
        if self.failures:
            self.failures -= 1
            raise OSError("no weights")
        return FakeSession()


def test_a_crowd_loads_once() -> None:
    """32 callers of a cold model: one load, one session."""
    arbiter, model, arrived = CpuArbiter(), FakeModel(), threading.Barrier(33)

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
    model.gate.set()
    with CpuArbiter().lease(model) as lease:
        assert lease.device == "cpu"


def test_a_failed_load_is_tried_again() -> None:
    """The caller that met the failure sees it; the next one loads."""
    arbiter, model = CpuArbiter(), FakeModel(failures=1)
    model.gate.set()
    with pytest.raises(OSError, match="no weights"), arbiter.lease(model):
        pass
    with arbiter.lease(model) as lease:
        assert lease.session.run([]) == {}
    assert len(model.opened) == 2


def test_one_slow_load_does_not_hold_up_another_model() -> None:
    """Loads of different models run side by side."""
    arbiter, slow, quick = CpuArbiter(), FakeModel("slow:1"), FakeModel("quick:1")
    quick.gate.set()

    def wait() -> None:
        with arbiter.lease(slow):
            pass

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(wait)
        with arbiter.lease(quick) as lease:
            assert lease.session.run([]) == {}
        slow.gate.set()
        waiting.result(5)


def test_a_retired_model_is_opened_anew_and_a_lease_outlives_it() -> None:
    """Nobody's session is taken away while it is used."""
    arbiter, model = CpuArbiter(), FakeModel()
    model.gate.set()
    with arbiter.lease(model) as lease:
        arbiter.retire(model.tag)
        assert lease.session.run([]) == {}
    arbiter.retire("unknown:1")
    with arbiter.lease(model) as again:
        assert again.session is not lease.session
    assert model.opened == ["cpu", "cpu"]
