"""The generated traces are what their names say."""

from __future__ import annotations

import numpy as np
import pytest

from vram_policy.simulation.catalogue import CARDS, CATALOGUE, budget_of
from vram_policy.simulation.generators import GENERATORS, generate
from vram_policy.simulation.trace import Trace

pytestmark = pytest.mark.unit

BUDGET = budget_of(CARDS["6GiB"])


def drawn(name: str, seed: int = 3) -> Trace:
    return generate(name, CATALOGUE, BUDGET, seed)


def counts(trace: Trace) -> list[int]:
    return [len(trace.of(index)) for index in range(len(trace.models))]


def most_in(trace: Trace, seconds: float) -> float:
    """The most requests of one model in one window, over its mean."""
    windows = np.arange(0, trace.duration + seconds, seconds)
    return float(
        max(
            np.histogram(times, windows)[0].max() / (len(times) * seconds / trace.duration)
            for times in per_model(trace)
        )
    )


def per_model(trace: Trace) -> list[np.ndarray]:
    return [trace.of(index) for index in range(len(trace.models)) if len(trace.of(index)) > 300]


@pytest.mark.parametrize("name", GENERATORS)
def test_a_seed_gives_the_same_trace_of_two_hours(name: str) -> None:
    first, again, other = drawn(name), drawn(name), drawn(name, 4)
    assert first.times.tolist() == again.times.tolist()
    assert first.asked.tolist() == again.asked.tolist()
    assert first.times.tolist() != other.times.tolist()
    assert 10_000 < len(first.times) < 33_000
    assert first.duration == 7200


def test_the_models_total_multiples_of_the_budgets() -> None:
    total = sum(model.bytes for model in CATALOGUE)
    multiples = [total / budget_of(size) for size in CARDS.values()]
    assert multiples == pytest.approx([1.3, 2.1, 3.0], abs=0.05)
    assert [model.zone for model in CATALOGUE].count("critical") == 1


def test_steady_is_zipf_and_steady() -> None:
    trace = drawn("steady")
    ranks = sorted(counts(trace), reverse=True)
    assert ranks[0] / ranks[1] == pytest.approx(2, rel=0.15)
    assert most_in(trace, 600) < 1.8


def test_bursts_and_crowds_are_not() -> None:
    assert most_in(drawn("bursty"), 60) > 4
    assert most_in(drawn("flash"), 60) > 4


def test_diurnal_sleeps_for_half_an_hour_in_each() -> None:
    for times in per_model(drawn("diurnal")):
        halves = np.histogram(times % 3600, 12)[0]
        assert halves.min() < 0.2 * halves.max()


def test_a_scan_asks_for_every_model_within_a_minute() -> None:
    trace = drawn("scan")
    windows = [
        set(trace.asked[(trace.times >= begin) & (trace.times < begin + 60)].tolist()) for begin in range(0, 7200, 10)
    ]
    assert sum(len(one) == len(CATALOGUE) for one in windows) >= 11


@pytest.mark.parametrize("card", CARDS)
def test_thrash_wants_a_little_more_than_there_is(card: str) -> None:
    budget = budget_of(CARDS[card])
    trace = generate("thrash", CATALOGUE, budget, 3)
    wanted = [index for index, count in enumerate(counts(trace)) if count]
    assert 1.1 * budget < sum(CATALOGUE[index].bytes for index in wanted) <= 1.3 * budget
    turns = trace.asked[: len(wanted) * 5].reshape(5, -1)
    assert (turns == turns[0]).all()


def test_a_card_that_holds_everything_cannot_thrash() -> None:
    trace = generate("thrash", CATALOGUE, 4 * BUDGET, 3)
    assert all(counts(trace))


def test_loop_is_about_one_model_a_minute() -> None:
    trace = drawn("loop")
    for begin in range(0, 7200, 60):
        asked = trace.asked[(trace.times >= begin) & (trace.times < begin + 60)]
        assert np.bincount(asked).max() > 0.85 * len(asked)


def test_a_pipeline_detects_before_anything_else() -> None:
    trace = drawn("pipeline")
    detector = trace.of(0)
    for index in range(1, len(CATALOGUE)):
        before = np.searchsorted(detector, trace.of(index) - 0.05 + 1e-9) - 1
        assert np.allclose(trace.of(index) - detector[before], 0.05)
