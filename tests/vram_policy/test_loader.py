"""The loader's threads: jobs side by side, a pause that ends at once when it closes, defects that do not end it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from structlog.testing import capture_logs

from facesocial.errors import Conflict
from tests.vram_policy.bench import eventually, threaded
from tests.vram_policy.fakes import FakeModel
from vram_policy.loader import Job, ThreadLoader
from vram_policy.simulated import Behaviour, SimulatedGpu

pytestmark = pytest.mark.unit


@pytest.fixture
def loader() -> Iterator[ThreadLoader]:
    loader = ThreadLoader()
    yield loader
    loader.close()


def test_jobs_run_side_by_side(loader: ThreadLoader) -> None:
    """Each waits for the other."""
    met = threading.Barrier(3)

    def job() -> Job:
        yield 0.0
        met.wait(5)

    loader.start(job())
    loader.start(job())
    met.wait(5)


def test_closing_ends_a_pause_at_once(loader: ThreadLoader) -> None:
    """And what was not begun is not begun."""
    pausing, went_on = threading.Event(), threading.Event()

    def job() -> Job:
        pausing.set()
        yield 60.0
        went_on.set()

    for _ in range(4):
        loader.start(job())
    assert pausing.wait(5)
    began = time.monotonic()
    loader.close()
    loader.start(job())
    assert time.monotonic() - began < 1
    assert not went_on.is_set()


def test_closing_waits_for_the_step_that_runs(loader: ThreadLoader) -> None:
    """A load cannot be interrupted; the step after it is not made."""
    running, steps = threading.Event(), list[str]()

    def job() -> Job:
        running.set()
        time.sleep(0.2)
        steps.append("one")
        yield 0.0
        steps.append("two")

    loader.start(job())
    assert running.wait(5)
    loader.close()
    assert steps == ["one"]


def test_a_defect_is_told_and_the_threads_live_on(loader: ThreadLoader) -> None:
    """As many defects as there are threads."""
    done = threading.Event()

    def defect() -> Job:
        yield 0.0
        raise ZeroDivisionError

    def job() -> Job:
        done.set()
        yield 0.0

    with capture_logs() as logs:
        for _ in range(4):
            loader.start(defect())
        loader.start(job())
        assert done.wait(5)
    assert [entry["event"] for entry in logs].count("a job of the card's loader failed") == 4


def test_r20_closing_during_a_load() -> None:
    """A load of half a second: closing takes no longer, and the operator who waits for it is told."""
    gpu, model = SimulatedGpu(1000, Behaviour(load_speed=200)), FakeModel()
    with ThreadPoolExecutor(1) as pool, threaded(gpu, 1000) as arbiter:
        arbiter.lease(model).end()
        load = pool.submit(arbiter.load, model.tag)
        eventually(lambda: gpu.memory().own == 100)
        began = time.monotonic()
        arbiter.close()
        assert time.monotonic() - began < 1
        with pytest.raises(Conflict):
            load.result(1)
        assert arbiter.lease(model).device in {"cpu", "simulated:0"}


def test_r20_closing_during_an_unload() -> None:
    """Memory that never comes back is not waited for; leases that end later end well."""
    gpu, model, other = SimulatedGpu(1000, Behaviour(lag=60.0)), FakeModel(), FakeModel("other:1")
    with ThreadPoolExecutor(1) as pool, threaded(gpu, 1000) as arbiter:
        for one in (model, other):
            arbiter.lease(one).end()
            arbiter.load(one.tag)
        lease = arbiter.lease(other)
        unload = pool.submit(arbiter.unload, model.tag)
        eventually(lambda: model.sessions[-1].closed == 1)
        began = time.monotonic()
        arbiter.close()
        with pytest.raises(Conflict):
            unload.result(1)
        arbiter.retire(other.tag)
        lease.end()
        assert time.monotonic() - began < 1
