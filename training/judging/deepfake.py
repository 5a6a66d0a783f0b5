"""The deepfake network, on videos it never saw."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from cli.bench import datasets
from cli.bench.accuracy import largest, score
from cli.bench.datasets import Crop, encoded
from cli.bench.metrics import Estimate, auc, bootstrap, equal_error_threshold, far_threshold
from facesocial.capabilities import Task
from runners.crops import SquareCrop
from services.pipeline.pipeline import Pipeline
from training.deepfake import FOLDS, SEED, folds_of
from training.distortion import degrade
from training.judging.forgeries import swapped
from training.judging.trial import Candidate, Figure, beside_teachers, share
from training.pictures import Photograph, Whole, frames, shoot

EVERY: Final = 10
"""Frames of a clip that are judged: one in so many."""

FALSE_ALARMS: Final = 0.1
"""Share of the real crops that may be called fake at the threshold: to be accused wrongly is the dearer error."""


def figures(
    without: Sequence[Candidate], final: Candidate, data: Path, strangers: Sequence[Photograph]
) -> list[Figure]:
    """Of the networks trained without each fold, and of the one trained on all.

    `strangers` are photographs of people, of whom swaps are made: a forgery of a kind that nobody trained on.
    """
    crops = [replace(crop, group=shoot(f"mesonet/{crop.group}")) for crop in datasets.mesonet(data)]
    fake, groups = np.array([crop.positive for crop in crops]), np.array([crop.group for crop in crops])
    plain, degraded = (_pooled(without, _varied(crops, chance)) for chance in (0.0, 0.7))
    area, worse = (
        bootstrap(lambda rows, scores=scores: auc(scores[rows], fake[rows]), groups)  # type: ignore[misc]
        for scores in (plain, degraded)
    )
    threshold = bootstrap(lambda rows: _threshold(plain[rows], fake[rows]), groups)
    missed = bootstrap(lambda rows: _missed(plain[rows], fake[rows]), groups)
    judge, equal = beside_teachers(final), equal_error_threshold(plain, fake)
    clips = _clips(judge, data)
    called = sum(score >= threshold.value for score in clips)
    return [
        Figure(
            f"AUC, {len(crops)} crops, each by the network that saw nothing of its shoot",
            str(area),
            "≥ 0.92",
            area.value >= 0.92,
        ),
        Figure(
            "AUC, the same blurred, shrunk, made noisy and compressed",
            str(worse),
            "≥ 0.90",
            worse.value >= 0.90,
        ),
        Figure(f"threshold at which {FALSE_ALARMS:.0%} of the real crops are called fake", str(threshold)),
        Figure("forged crops missed there", share(missed)),
        Figure("real clips called fake there", f"{called} of {len(clips)}", "≤ 1", called <= 1),
        Figure(
            "real clips called fake where the errors are equal",
            f"{sum(score >= equal for score in clips)} of {len(clips)}, at {equal:.3f}",
        ),
        Figure("AUC on swapped faces, a forgery nobody was trained on", str(_on_swaps(judge, strangers))),
    ]


def _varied(crops: list[Crop], chance: float) -> list[Crop]:
    return [
        replace(crop, image=degrade(crop.image, np.random.default_rng((SEED, number)), chance))
        for number, crop in enumerate(crops)
    ]


def _threshold(scores: NDArray[np.float64], fake: NDArray[np.bool_]) -> float:
    return far_threshold(scores[~fake], FALSE_ALARMS)


def _missed(scores: NDArray[np.float64], fake: NDArray[np.bool_]) -> float:
    return float((scores[fake] < _threshold(scores, fake)).mean())


def _pooled(without: Sequence[Candidate], crops: list[Crop]) -> NDArray[np.float64]:
    """Each crop scored by the network that saw nothing of its video."""
    folds = folds_of(np.array([crop.group for crop in crops]), np.array([crop.positive for crop in crops]))
    scores = np.zeros(len(crops))
    for fold, model in zip(range(FOLDS), without, strict=True):
        judge = beside_teachers(model)
        for number in np.flatnonzero(folds == fold):
            scores[number] = _score(judge, crops[number])
    return scores


def _score(pipeline: Pipeline, crop: Crop) -> float:
    return score(pipeline, crop, Task.DEEPFAKE, 1.1)


def _clips(pipeline: Pipeline, data: Path) -> list[float]:
    """The score of each clip: the mean over its largest faces; of one without a face 0."""
    scores = []
    for clip in sorted((data / "video").iterdir()):
        faces = [largest(pipeline, encoded(frame), [Task.DEEPFAKE]) for frame in frames(clip, EVERY)]
        scores.append(float(np.mean([face.results[Task.DEEPFAKE].score for face in faces if face] or [0.0])))
    return scores


def _on_swaps(pipeline: Pipeline, strangers: Sequence[Photograph]) -> Estimate:
    crops = [crop for pair in pairs(strangers) for crop in _pair(*pair)]
    scores, fake = np.array([_score(pipeline, crop) for crop in crops]), np.array([crop.positive for crop in crops])
    groups = np.array([crop.group for crop in crops])
    return bootstrap(lambda rows: auc(scores[rows], fake[rows]), groups, 200)


def pairs(strangers: Sequence[Photograph]) -> list[tuple[Photograph, Photograph]]:
    """Every second photograph, each with the next one of another person."""
    return [
        (one, next(other for other in (*strangers[number:], *strangers) if other.group != one.group))
        for number, one in list(enumerate(strangers))[::2]
    ]


def _pair(one: Photograph, other: Photograph) -> Iterator[Crop]:
    """A photograph, and the same one with the other's face."""
    for image, fake in ((one.image, False), (swapped(one, other), True)):
        crop = SquareCrop(1.1, (256, 256), cv2.INTER_CUBIC).cut(Whole(image), one.faces[0])
        if crop is not None:
            yield Crop(crop, one.group, fake)
