"""500 times onto the card and off again: memory, threads and open files stay as they were; what is kept is noticed."""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import psutil
import pytest

from facesocial.configuration import CpuSettings
from models.library import Library
from runners.sessions import OnnxModel, blank
from runners.shapes import volume
from tests.vram_policy.bench import threaded
from tests.vram_policy.fakes import FakeModel
from vram_policy.arbiter import GpuArbiter
from vram_policy.lease import Array, Loadable, Session
from vram_policy.simulated import SimulatedGpu

CYCLES = 500
MEGABYTE = 1 << 20
MOST = 20 * MEGABYTE
"""Growth of the second half that counts as flat (checks.md R24)."""


@dataclass(frozen=True, slots=True)
class Vitals:
    """Of this process: bytes of memory, threads, open files."""

    resident: int
    threads: int
    files: int

    @classmethod
    def now(cls) -> Vitals:
        """After what is garbage has gone."""
        gc.collect()
        process = psutil.Process()
        return cls(process.memory_info().rss, process.num_threads(), process.num_fds())


class Heavy(FakeModel):
    """A session of a megabyte, written to, so that it is really there."""

    def open(self, device: str) -> Session:
        """Of this model."""
        return Weights()


@dataclass
class Weights:
    """A megabyte until it is closed."""

    array: Array | None = field(default_factory=lambda: np.ones(MEGABYTE, dtype=np.uint8))

    def run(self, inputs: Sequence[Array]) -> dict[str, Array]:
        """Nothing."""
        return {}

    def close(self) -> None:
        """Gone."""
        self.array = None


class Hoard(Heavy):
    """The control: somebody keeps every session and its weights."""

    def open(self, device: str) -> Session:
        """Kept for ever."""
        session = Weights()
        assert session.array is not None
        HOARD.append(session.array)
        return session


HOARD: list[Array] = []


def cycle(arbiter: GpuArbiter, models: Sequence[Loadable], cycles: int) -> None:
    """Each model drives the one before it off the card, which has room for one."""
    for number in range(cycles):
        tag = models[number % len(models)].tag
        arbiter.load(tag, 20)


def grown(models: Sequence[Loadable], cycles: int = CYCLES) -> Vitals:
    """By how much the second half of so many cycles raised the vitals."""
    size = max(model.profile("simulated").footprint.peak for model in models)
    with threaded(SimulatedGpu(size), size) as arbiter:
        for model in models:
            arbiter.lease(model).end()
        cycle(arbiter, models, cycles // 2)
        before = Vitals.now()
        cycle(arbiter, models, cycles - cycles // 2)
        after = Vitals.now()
        counts = arbiter.report().counts
        assert counts.loads == cycles
        assert counts.evictions == cycles - 1
    return Vitals(after.resident - before.resident, after.threads - before.threads, after.files - before.files)


def flat(growth: Vitals) -> bool:
    """The checker, of the product and of the control alike."""
    return growth.resident < MOST and growth.threads <= 0 and growth.files <= 0


@pytest.mark.unit
@pytest.mark.parametrize(("make", "expected"), [(Heavy, True), (Hoard, False)])
def test_cycles_of_sessions_of_a_megabyte(make: Callable[[str], FakeModel], expected: bool) -> None:
    """Those that are closed leave nothing behind; those that somebody keeps are noticed by the same checker."""
    try:
        assert flat(grown([make("a:1"), make("b:1")])) == expected
    finally:
        HOARD.clear()


class Quick(OnnxModel):
    """Warmed by one run of its smallest shape."""

    def warm(self, session: Session) -> None:
        """Once is enough to take what a run takes."""
        session.run(blank(min(self.shapes, key=volume)))


@pytest.mark.integration
def test_cycles_of_real_sessions(library: Library) -> None:
    """Two networks of ONNX Runtime."""
    networks = [one for one in library.store.installed() if one.path.suffix == ".onnx"]
    smallest = sorted(networks, key=lambda one: one.path.stat().st_size)[:2]
    assert flat(grown([Quick(one, CpuSettings()) for one in smallest]))
