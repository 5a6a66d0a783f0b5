"""Figures of merit and their uncertainty."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float64]
Labels = NDArray[np.bool_]

RESAMPLES = 1000


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value and its 95 % confidence interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.4g} [{self.low:.4g}, {self.high:.4g}]"


def auc(scores: Scores, positive: Labels) -> float:
    """Area under the ROC curve: the chance that a positive scores above a negative; ties count half."""
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    positives = int(positive.sum())
    negatives = len(scores) - positives
    return float((ranks[positive].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def best_threshold(scores: Scores, positive: Labels) -> float:
    """The threshold (score ≥ t is positive) with the highest accuracy, halfway between the two scores it separates."""
    order = np.argsort(scores)
    ranked, labels = scores[order], positive[order]
    right = np.concatenate([[labels.sum()], labels.sum() + np.cumsum(1 - 2 * labels.astype(int))])
    cut = int(np.argmax(right))
    edges = np.concatenate([[ranked[0] - 1e-6], ranked, [ranked[-1] + 1e-6]])
    return float((edges[cut] + edges[cut + 1]) / 2)


def equal_error_threshold(scores: Scores, positive: Labels) -> float:
    """The threshold at which as large a share of positives is missed as of negatives is let through."""
    candidates = np.unique(scores)
    missed = np.searchsorted(np.sort(scores[positive]), candidates) / positive.sum()
    passed = 1 - np.searchsorted(np.sort(scores[~positive]), candidates) / (~positive).sum()
    return float(candidates[np.argmin(np.abs(missed - passed))])


def far_threshold(impostors: Scores, far: float) -> float:
    """The lowest threshold that lets through at most the share `far` of impostor scores."""
    ranked = np.sort(impostors)[::-1]
    return float(np.nextafter(ranked[int(far * len(ranked))], np.inf))


def accuracy(scores: Scores, positive: Labels, threshold: float) -> float:
    """Share of right decisions at a threshold."""
    return float(((scores >= threshold) == positive).mean())


def cross_validated(scores: Scores, positive: Labels, folds: NDArray[np.int64]) -> float:
    """Mean accuracy over folds, the threshold of each chosen on the others (LFW's protocol)."""
    rates = []
    for fold in np.unique(folds):
        held_out = folds == fold
        threshold = best_threshold(scores[~held_out], positive[~held_out])
        rates.append(accuracy(scores[held_out], positive[held_out], threshold))
    return float(np.mean(rates))


def bootstrap(
    statistic: Callable[[NDArray[np.int64]], float], groups: NDArray[np.generic], resamples: int = RESAMPLES
) -> Estimate:
    """`statistic` of all rows, with the interval from resampling whole groups (videos, persons), seeded."""
    generator = np.random.default_rng(0)
    names, inverse = np.unique(groups, return_inverse=True)
    members = np.split(np.argsort(inverse, kind="stable"), np.cumsum(np.bincount(inverse))[:-1])
    values = []
    for _ in range(resamples):
        drawn = generator.integers(len(names), size=len(names))
        values.append(statistic(np.concatenate([members[index] for index in drawn])))
    low, high = np.percentile(values, [2.5, 97.5])
    return Estimate(statistic(np.arange(len(groups))), float(low), float(high))
