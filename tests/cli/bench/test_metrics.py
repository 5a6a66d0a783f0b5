"""Figures of merit on data where the answer is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.bench.metrics import (
    accuracy,
    auc,
    best_threshold,
    bootstrap,
    cross_validated,
    equal_error_threshold,
    far_threshold,
)

pytestmark = pytest.mark.unit

SCORES = np.array([0.1, 0.2, 0.3, 0.6, 0.7, 0.9])
POSITIVE = np.array([False, False, True, False, True, True])


@given(st.lists(st.tuples(st.integers(0, 20), st.booleans()), min_size=2, max_size=40))
def test_auc_is_the_chance_of_ranking_right(rows: list[tuple[int, bool]]) -> None:
    """Against the definition: pairs ranked right, ties by half."""
    scores, positive = np.array([float(score) for score, _ in rows]), np.array([label for _, label in rows])
    if positive.all() or not positive.any():
        return
    wins = [(p > n) + 0.5 * (p == n) for p in scores[positive] for n in scores[~positive]]
    assert auc(scores, positive) == pytest.approx(np.mean(wins))


def test_best_threshold_lies_between_two_scores() -> None:
    """Any threshold from .2 to .3, or from .6 to .7, calls five of six right."""
    threshold = best_threshold(SCORES, POSITIVE)
    assert accuracy(SCORES, POSITIVE, threshold) == pytest.approx(5 / 6)
    assert min(abs(SCORES - threshold)) > 0.01


def test_equal_error() -> None:
    """As many positives missed as negatives let through: one in three."""
    threshold = equal_error_threshold(SCORES, POSITIVE)
    assert (SCORES[POSITIVE] < threshold).mean() == (SCORES[~POSITIVE] >= threshold).mean()


@given(st.lists(st.floats(-1, 1), min_size=10, max_size=200), st.floats(0.01, 0.5))
def test_far_threshold_lets_no_more_through(impostors: list[float], far: float) -> None:
    """At most the share asked for."""
    scores = np.array(impostors)
    assert (scores >= far_threshold(scores, far)).mean() <= far


def test_cross_validation_never_sees_the_fold_it_judges() -> None:
    """A fold with its own scale is judged by the others' threshold, and fails."""
    scores = np.array([0.1, 0.9, 0.1, 0.9, 10.1, 10.9])
    positive = np.array([False, True] * 3)
    assert cross_validated(scores, positive, np.array([0, 0, 1, 1, 2, 2])) < 1


def test_bootstrap_covers_the_mean_and_respects_groups() -> None:
    """The interval holds the value; with one group nothing can vary."""
    values = np.random.default_rng(1).normal(5, 1, 400)
    estimate = bootstrap(lambda rows: float(values[rows].mean()), np.arange(400), 300)
    assert estimate.low < estimate.value < estimate.high
    assert estimate.high - estimate.low == pytest.approx(4 / np.sqrt(400), rel=0.3)
    alone = bootstrap(lambda rows: float(values[rows].mean()), np.zeros(400), 50)
    assert (alone.low, alone.high) == pytest.approx((alone.value, alone.value))
