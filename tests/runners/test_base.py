"""The runner: batches of the permitted size, one lease each, results in order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pytest

from facesocial.errors import DeviceError, OutOfDeviceMemory
from models.catalogue import load_catalogue
from models.spec import ModelSpec
from runners.base import FaceAdapter, FaceRunner, Views
from runners.core import LeasedCore
from vram_policy import Lease, Loadable, Session
from vram_policy.footprint import Profile, estimate
from vram_policy.lease import Array

pytestmark = pytest.mark.unit


class Echo(FaceAdapter[int]):
    """The first pixel of each face is its result."""

    crops = ()

    def pre(self, batch: Sequence[Views]) -> Sequence[Array]:
        """One number a face."""
        return [np.array([view[0, 0, 0] for (view,) in batch])]

    def post(self, outputs: Mapping[str, Array]) -> Sequence[int]:
        """The numbers."""
        return [int(value) for value in outputs["y"]]


@dataclass
class Recorder:
    """An arbiter, a session and a model in one; remembers batch sizes and open leases."""

    tag: str = "echo:1"
    zone: Literal["critical", "high", "flexible"] = "high"
    pin: bool = False
    batches: list[int] = field(default_factory=list)
    leased: int = 0
    retired: list[str] = field(default_factory=list)
    faults: list[DeviceError] = field(default_factory=list)

    def open(self, device: str) -> Session:
        """It is its own session."""
        return self

    def close(self) -> None:
        """Nothing to free."""

    def profile(self, card: str) -> Profile:
        """Nobody asks."""
        return estimate(0, 0)

    def warm(self, session: Session) -> None:
        """Nobody asks."""

    def lease(self, model: Loadable, rows: int = 1) -> Lease:
        """Counts."""
        self.leased += 1
        return Lease(self, "simulated:0", self._back)

    def failover(self, lease: Lease, error: DeviceError) -> Lease:
        """To a lease on the CPU."""
        lease.end()
        self.leased += 1
        return Lease(self, "cpu", self._back)

    def _back(self, lease: Lease) -> None:
        self.leased -= 1

    def retire(self, tag: str) -> None:
        """Remembers."""
        self.retired.append(tag)

    def run(self, inputs: Sequence[Array]) -> dict[str, Array]:
        """Must be under a lease."""
        assert self.leased == 1
        if self.faults:
            raise self.faults.pop()
        self.batches.append(len(inputs[0]))
        return {"y": inputs[0]}


def faces(count: int) -> list[Views]:
    """Numbered."""
    return [(np.full((1, 1, 3), index, np.uint8),) for index in range(count)]


def _runner(spec: ModelSpec, recorder: Recorder) -> FaceRunner[int]:
    return FaceRunner(Echo(spec), recorder.tag, LeasedCore(recorder, recorder), 16)


@pytest.mark.parametrize(("count", "batches"), [(0, []), (1, [1]), (16, [16]), (40, [16, 16, 8])])
def test_batches(count: int, batches: list[int]) -> None:
    """200 faces never make one tensor."""
    recorder = Recorder()
    outcome = _runner(load_catalogue().spec("mobilefacenet_foamliu"), recorder).run(faces(count))
    assert recorder.batches == batches
    assert outcome.results == tuple(range(count))
    assert outcome.device == ("simulated:0" if count else "")
    assert recorder.leased == 0


def test_fixed_batch_graphs_run_one_by_one() -> None:
    """A graph exported for one face gets one face."""
    recorder = Recorder()
    spec = load_catalogue().spec("mobilefacenet_foamliu").model_copy(update={"dynamic_batch": False})
    _runner(spec, recorder).run(faces(3))
    assert recorder.batches == [1, 1, 1]


def test_what_the_card_cannot_finish_the_cpu_does() -> None:
    """Nobody sees the fault; the device is where the work was done."""
    recorder = Recorder(faults=[OutOfDeviceMemory("full")])
    outcome = _runner(load_catalogue().spec("mobilefacenet_foamliu"), recorder).run(faces(3))
    assert outcome.results == (0, 1, 2)
    assert outcome.device == "cpu"
    assert recorder.leased == 0


def test_a_retired_runner_gives_its_session_back() -> None:
    """By the tag of its model."""
    recorder = Recorder()
    _runner(load_catalogue().spec("mobilefacenet_foamliu"), recorder).retire()
    assert recorder.retired == ["echo:1"]
