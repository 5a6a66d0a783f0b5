"""Joining: every caller gets its own rows back, whoever ran them; a batch has a limit; an error reaches all of it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import accumulate, pairwise
from typing import Final

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facesocial.configuration import CpuSettings
from facesocial.errors import ModelIntegrityError
from models.catalogue import load_catalogue
from models.library import Library
from runners.batching import JoiningCore, joined
from runners.core import Computed, Core, LeasedCore
from runners.sessions import OnnxModel
from vram_policy import CpuArbiter
from vram_policy.lease import Array

FOREVER = 60.0
"""Seconds no test waits for: what happens before is not the clock's doing."""


class Kept:
    """Counts retirements."""

    retired = 0

    def retire(self) -> None:
        """Nothing to give back."""
        self.retired += 1


class Double(Kept):
    """Two inputs, their sum doubled. May fail."""

    error: BaseException | None = None

    def run(self, inputs: Sequence[Array]) -> Computed:
        """Of any integers."""
        if self.error:
            raise self.error
        first, second = (np.asarray(array, np.int64) for array in inputs)
        return Computed({"y": 2 * (first + second)}, "simulated:0")


class Held(Kept):
    """Remembers the batches, and lets no run end before the gate is open."""

    def __init__(self, core: Core) -> None:
        self.core = core
        self.batches: list[int] = []
        self.gate = threading.Event()
        self.started = threading.Semaphore(0)

    def run(self, inputs: Sequence[Array]) -> Computed:
        self.batches.append(len(inputs[0]))
        self.started.release()
        assert self.gate.wait(FOREVER)
        return self.core.run(inputs)


def _inputs(start: int, end: int, width: int = 2) -> list[Array]:
    numbers = np.repeat(np.arange(start, end)[:, None], width, axis=1)
    return [numbers, np.zeros_like(numbers)]


_FIRST: Final = _inputs(0, 1)


def _answer(core: JoiningCore, start: int, end: int, width: int = 2) -> list[int]:
    computed = core.run(_inputs(start, end, width))
    assert computed.device == "simulated:0"
    assert computed.outputs["y"].shape == (end - start, width)
    return [int(row) // 2 for row in computed.outputs["y"][:, 0]]


@contextmanager
def _busy(
    core: JoiningCore, held: Held, pool: ThreadPoolExecutor, inputs: Sequence[Array] = _FIRST
) -> Iterator[Future[Computed]]:
    """While a first call is running; the gate opens in the end."""
    first = pool.submit(core.run, inputs)
    assert held.started.acquire(timeout=FOREVER)
    try:
        yield first
    finally:
        held.gate.set()


def _until(condition: Callable[[], bool]) -> None:
    """Calls of other threads have no other sign of having come than the state of the core."""
    for _ in range(60_000):
        if condition():
            return
        threading.Event().wait(0.001)
    raise AssertionError("never came to pass")


def _collected(core: JoiningCore) -> int:
    batch = core._open
    return batch.rows if batch else 0


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(32) as pool:
        yield pool


@pytest.mark.unit
def test_a_lone_caller_does_not_wait(pool: ThreadPoolExecutor) -> None:
    """Each of its calls is a run of its own, at once, whatever the bound."""
    held = Held(Double())
    held.gate.set()
    core = JoiningCore(held, 16, 10 * FOREVER)
    assert [pool.submit(_answer, core, row, row + 3).result(FOREVER) for row in range(4)] == [
        [row, row + 1, row + 2] for row in range(4)
    ]
    assert held.batches == [3] * 4


@pytest.mark.unit
def test_calls_that_meet_a_run_are_joined(pool: ThreadPoolExecutor) -> None:
    held = Held(Double())
    core = JoiningCore(held, 16, 10 * FOREVER)
    with _busy(core, held, pool) as first:
        others = [pool.submit(_answer, core, start, end) for start, end in pairwise((1, 2, 5, 9))]
        _until(lambda: _collected(core) == 8)
    assert [one.result(FOREVER) for one in others] == [[1], [2, 3, 4], [5, 6, 7, 8]]
    assert len(first.result(FOREVER).outputs["y"]) == 1
    assert held.batches == [1, 8]


@pytest.mark.unit
def test_the_bound_ends_the_waiting() -> None:
    """The run before never ends until both others have answered."""
    held = Held(Double())
    core = JoiningCore(held, 16, 0.01)
    with ThreadPoolExecutor(2) as pool, _busy(core, held, pool) as first:
        second = pool.submit(_answer, core, 1, 2)
        assert held.started.acquire(timeout=FOREVER)
        assert not first.done()
    assert second.result(FOREVER) == [1]


@pytest.mark.unit
def test_a_full_batch_waits_no_longer(pool: ThreadPoolExecutor) -> None:
    held = Held(Double())
    core = JoiningCore(held, 4, 10 * FOREVER)
    with _busy(core, held, pool):
        leader = pool.submit(_answer, core, 1, 3)
        _until(lambda: _collected(core) == 2)
        follower = pool.submit(_answer, core, 3, 5)
        assert held.started.acquire(timeout=FOREVER)
    assert (leader.result(FOREVER), follower.result(FOREVER)) == ([1, 2], [3, 4])
    assert held.batches == [1, 4]


@pytest.mark.unit
@pytest.mark.parametrize(("end", "width"), [(9, 2), (4, 3)], ids=["no room", "another shape"])
def test_what_does_not_fit_sends_the_batch_before_it_off(end: int, width: int, pool: ThreadPoolExecutor) -> None:
    held = Held(Double())
    core = JoiningCore(held, 4, 10 * FOREVER)
    with _busy(core, held, pool):
        before = pool.submit(_answer, core, 1, 3)
        _until(lambda: _collected(core) == 2)
        other = pool.submit(_answer, core, 3, end, width)
        assert held.started.acquire(timeout=FOREVER)
    assert before.result(FOREVER) == [1, 2]
    assert other.result(FOREVER) == list(range(3, end))
    assert sorted(held.batches) == sorted([1, 2, end - 3])


@pytest.mark.unit
@pytest.mark.parametrize("error", [RuntimeError("out of memory"), SystemExit(1)])
def test_an_error_reaches_every_caller_and_stops_nobody_later(error: BaseException, pool: ThreadPoolExecutor) -> None:
    double = Double()
    held = Held(double)
    core = JoiningCore(held, 16, 10 * FOREVER)
    with _busy(core, held, pool) as first:
        others = [pool.submit(_answer, core, row, row + 1) for row in range(1, 4)]
        _until(lambda: _collected(core) == 3)
        double.error = error
    assert [first.exception(FOREVER), *(one.exception(FOREVER) for one in others)] == [error] * 4
    assert held.batches == [1, 3]
    double.error = None
    assert pool.submit(_answer, core, 7, 9).result(FOREVER) == [7, 8]


@pytest.mark.unit
def test_outputs_without_a_row_per_item_are_not_shared_out(pool: ThreadPoolExecutor) -> None:
    class Mean(Double):
        def run(self, inputs: Sequence[Array]) -> Computed:
            computed = super().run(inputs)
            return Computed({"y": computed.outputs["y"].mean(axis=0, keepdims=True)}, computed.device)

    held = Held(Mean())
    core = JoiningCore(held, 16, 10 * FOREVER)
    with _busy(core, held, pool):
        others = [pool.submit(_answer, core, row, row + 1) for row in (1, 2)]
        _until(lambda: _collected(core) == 2)
    for one in others:
        with pytest.raises(ModelIntegrityError, match="'y' has 1 rows for 2 items"):
            one.result(FOREVER)


@pytest.mark.unit
@settings(deadline=None, max_examples=25)
@given(
    most=st.integers(1, 16),
    wait=st.sampled_from([0.0, 0.002, FOREVER]),
    calls=st.lists(st.lists(st.integers(1, 16), max_size=4), min_size=32, max_size=32),
)
def test_32_threads_get_their_own_rows(most: int, wait: float, calls: list[list[int]]) -> None:
    """Random sizes, no row twice or lost, no batch above the limit."""
    held = Held(Double())
    held.gate.set()
    core = JoiningCore(held, most, wait)
    sizes = [[min(size, most) for size in thread] for thread in calls]
    start = threading.Barrier(len(sizes))

    def caller(offset: int, own: list[int]) -> None:
        start.wait(FOREVER)
        for begin, end in pairwise(accumulate(own, initial=offset)):
            assert _answer(core, begin, end) == list(range(begin, end))

    with ThreadPoolExecutor(len(sizes)) as pool:
        for done in [pool.submit(caller, 1000 * number, own) for number, own in enumerate(sizes)]:
            done.result(FOREVER)
    assert all(batch <= most for batch in held.batches)
    assert sum(held.batches) == sum(map(sum, sizes))


@pytest.mark.unit
@pytest.mark.parametrize(
    ("wait", "dynamic", "joins"), [(0, True, False), (5, True, True), (5, False, False)], ids=["off", "on", "fixed"]
)
def test_only_graphs_with_a_dynamic_batch_join_and_only_when_asked(wait: int, dynamic: bool, joins: bool) -> None:
    spec = load_catalogue().spec("mobilefacenet_foamliu").model_copy(update={"dynamic_batch": dynamic})
    core = Double()
    chosen = joined(core, spec, CpuSettings(batch_wait_ms=wait))
    assert isinstance(chosen, JoiningCore) if joins else chosen is core


@pytest.mark.integration
@pytest.mark.parametrize(
    "name", ["mobilefacenet_foamliu", "minifasnet_fused", "mesoinception_df", "faceapi_age_gender"]
)
def test_a_real_network_gives_each_caller_what_it_gives_alone(
    name: str, library: Library, pool: ThreadPoolExecutor
) -> None:
    """Joined in one run, within the noise of another order of additions."""
    installed = library.store.find(load_catalogue().spec(name))
    assert installed
    alone = LeasedCore(OnnxModel(installed, CpuSettings()), CpuArbiter())
    held = Held(alone)
    core = JoiningCore(held, 16, 10 * FOREVER)
    width, height = installed.spec.preprocessing.size or (0, 0)
    random = np.random.default_rng(0)
    calls: list[list[Array]] = [
        [
            random.uniform(-1, 1, (faces, 3, height, width)).astype(np.float32)
            for _ in installed.spec.branches or (None,)
        ]
        for faces in (1, 2, 3, 1)
    ]
    with _busy(core, held, pool, calls[0]):
        together = [pool.submit(core.run, call) for call in calls]
        _until(lambda: _collected(core) == 7)
    for call, one in zip(calls, together, strict=True):
        for output, expected in alone.run(call).outputs.items():
            given_together = np.asarray(one.result(FOREVER).outputs[output], np.float32)
            np.testing.assert_allclose(given_together, np.asarray(expected, np.float32), rtol=1e-3, atol=1e-4)
    assert held.batches == [1, 7]


def test_retiring_reaches_the_core() -> None:
    core = Double()
    JoiningCore(core, 16, 0.01).retire()
    assert core.retired == 1
