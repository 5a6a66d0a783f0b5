"""The statistics of a run: percentiles over all requests, ratios within a block, verdicts."""

from __future__ import annotations

import pytest

from cli.bench.measurement import Block, Ratio, Series, measure, quotient

pytestmark = pytest.mark.unit


def test_series_speaks_in_milliseconds_and_requests_per_second() -> None:
    series = Series((Block((0.01, 0.02, 0.03), 0.06, 6), Block((0.04, 0.05), 0.1, 6)))
    assert series.percentile(50) == pytest.approx(30)
    assert series.percentile(100) == pytest.approx(50)
    assert series.medians == pytest.approx((20, 45))
    assert series.rates == pytest.approx((50, 20))
    assert series.rate == pytest.approx(5 / 0.16)


def test_contestants_that_find_different_numbers_of_faces_show() -> None:
    assert Series((Block((1,), 1, 6), Block((1,), 1, 6))).faces == (6,)
    assert Series((Block((1,), 1, 6), Block((1,), 1, 5))).faces == (5, 6)


def test_a_ratio_is_taken_within_each_block() -> None:
    """A machine three times slower in one block does not change a ratio."""
    assert quotient((20, 60, 20), (10, 30, 10)) == pytest.approx(2)
    with pytest.raises(ValueError, match="shorter"):
        quotient((1, 2), (1,))


@pytest.mark.parametrize(
    ("ratio", "verdict"),
    [
        (Ratio("r", 1.25, "≤", 1.25), "pass"),
        (Ratio("r", 1.26, "≤", 1.25), "FAIL"),
        (Ratio("r", 1.5, "≥", 1.5), "pass"),
        (Ratio("r", 1.49, "≥", 1.5), "FAIL"),
        (Ratio("r", 99.0), "–"),
    ],
)
def test_a_verdict_follows_the_target(ratio: Ratio, verdict: str) -> None:
    assert ratio.verdict == verdict


def test_measure_times_every_request_and_all_of_them() -> None:
    answers = iter([5, 6, 6])
    block = measure(lambda: next(answers), 3)
    assert len(block.seconds) == 3
    assert block.elapsed >= sum(block.seconds)
    assert block.faces == 6
