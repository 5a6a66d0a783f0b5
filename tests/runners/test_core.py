"""A run under a lease, with the real arbiter: what the card cannot finish, the CPU does."""

from __future__ import annotations

import numpy as np
import pytest

from runners.core import LeasedCore
from tests.vram_policy.bench import Bench
from tests.vram_policy.fakes import INPUT, FakeModel
from vram_policy.simulated import Behaviour

pytestmark = pytest.mark.unit


def loaded(behaviour: Behaviour) -> tuple[Bench, FakeModel, LeasedCore]:
    """A model that was asked for until it is on the card; the asking ran nothing there."""
    bench, model = Bench(behaviour=behaviour), FakeModel()
    core = LeasedCore(model, bench.arbiter)
    for _ in range(2):
        core.run(INPUT)
    bench.settle()
    return bench, model, core


def test_r9_a_run_that_finds_no_memory_is_finished_on_the_cpu() -> None:
    """Run 57 of 100: nobody sees an error, it is counted once, and the model is left alone for a while."""
    bench, model, core = loaded(Behaviour(oom_at=[("run", 57)]))
    devices = [core.run(INPUT).device for _ in range(100)]
    assert devices == ["simulated:0"] * 56 + ["cpu"] * 44
    counts = bench.of(model).counts
    assert (counts.answers, counts.failovers, counts.out_of_memory) == (56, 1, 1)
    assert bench.of(model).leases == 0


def test_a_sticky_error_is_told_and_everything_runs_on_the_cpu_from_then_on() -> None:
    bench, model, core = loaded(Behaviour(stickiness=3))
    devices = [core.run(INPUT).device for _ in range(5)]
    assert devices == ["simulated:0"] * 2 + ["cpu"] * 3
    assert len(bench.lost) == 1
    assert bench.of(model).counts.failovers == 1


def test_an_error_of_the_network_is_the_callers_and_the_lease_comes_back() -> None:
    bench, model, core = loaded(Behaviour())

    def fail() -> None:
        raise ValueError("wrong shape")

    model.sessions[-1].first = fail
    with pytest.raises(ValueError, match="wrong shape"):
        core.run(INPUT)
    assert bench.of(model).leases == 0
    model.sessions[-1].first = lambda: None
    assert core.run(INPUT).outputs["device"] == np.array("cpu")
