"""`facesocial bench accuracy`: figures through the pipeline, and thresholds for the catalogue."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cli.bench import datasets
from cli.bench.metrics import (
    Estimate,
    auc,
    bootstrap,
    cross_validated,
    equal_error_threshold,
    far_threshold,
)
from facesocial.capabilities import Task
from facesocial.configuration import LimitSettings
from facesocial.results import Demographics, Face, Liveness
from services.pipeline.header import read_header
from services.pipeline.picture import Picture
from services.pipeline.pipeline import Pipeline
from services.pipeline.report import FaceReport, Report

FAR = 1e-3
LIMITS = LimitSettings()


@dataclass(frozen=True, slots=True)
class Recognition:
    """LFW: `accuracy` by LFW's protocol; `threshold` at FAR 1e-3 over all pairs of different persons, `tar` at it."""

    pictures: int
    without_face: int
    accuracy: Estimate
    threshold: Estimate
    tar: Estimate


@dataclass(frozen=True, slots=True)
class Binary:
    """A yes-or-no capability: AUC, and the threshold of equal errors with the share of right decisions there."""

    crops: int
    auc: Estimate
    threshold: Estimate
    accuracy: Estimate


@dataclass(frozen=True, slots=True)
class Demography:
    """UTKFace: mean absolute error in years, share of genders right, over faces found."""

    faces: int
    without_face: int
    age_mae: Estimate
    gender: Estimate


def recognition(pipeline: Pipeline, data: Path, every: int = 1) -> Recognition:
    """LFW's pairs; of these every n-th, from the first."""
    return recognition_of(pipeline, data, datasets.lfw_pairs(data)[::every])


def recognition_of(pipeline: Pipeline, data: Path, pairs: Sequence[datasets.Pair]) -> Recognition:
    """LFW pictures as they are; where several faces are found, the largest.

    A face without an embedding counts as no face.
    """
    names = sorted({name for pair in pairs for name in (pair.a, pair.b)})
    place = {name: index for index, name in enumerate(names)}
    found = [largest(pipeline, (data / "lfw" / "images" / name).read_bytes(), [Task.EMBED]) for name in names]
    embeddings = [face and face.results[Task.EMBED] for face in found]
    size = next(len(embedding.vector) for embedding in embeddings if embedding)
    vectors = np.stack([embedding.vector if embedding else np.zeros(size, np.float32) for embedding in embeddings])

    same = np.array([pair.same for pair in pairs])
    folds = np.array([pair.fold for pair in pairs])
    left, right = (np.array([place[name] for name in side]) for side in zip(*((p.a, p.b) for p in pairs), strict=True))
    scores = np.einsum("nd,nd->n", vectors[left], vectors[right]).astype(np.float64)
    everyone = np.arange(len(pairs))
    # A stranger's interval: resample persons, for pairs that share a person are not independent.
    persons = np.array([name.rsplit("_", 1)[0] for name in names])
    threshold = _impostor_threshold(vectors, persons)
    return Recognition(
        pictures=len(names),
        without_face=sum(embedding is None for embedding in embeddings),
        accuracy=bootstrap(lambda rows: cross_validated(scores[rows], same[rows], folds[rows]), everyone, 200),
        threshold=threshold,
        tar=bootstrap(lambda rows: float((scores[same][rows] >= threshold.value).mean()), everyone[: same.sum()]),
    )


def deepfake(pipeline: Pipeline, data: Path, every: int = 1) -> Binary:
    """MesoNet's validation crops, each given as the face: YuNet's box is 1/1.09 of them, our crop 1.1 boxes.

    Of the crops every n-th, from the first.
    """
    crops = list(datasets.mesonet(data))[::every]
    scores = [score(pipeline, crop, Task.DEEPFAKE, 1.1) for crop in crops]
    return binary(np.array(scores), crops)


def liveness(pipeline: Pipeline, data: Path) -> Binary:
    """NUAA's crops, each given as the face: all models but antispoofing_bin_128 want surroundings that they lack."""
    crops = list(datasets.nuaa(data))
    scores = [score(pipeline, crop, Task.LIVENESS, 1.0) for crop in crops]
    return binary(np.array(scores), crops)


def liveness_of(pipeline: Pipeline, content: bytes) -> Liveness:
    """The verdict on the largest face of a whole picture.

    Raises:
        ValueError: there is no face.
    """
    face = largest(pipeline, content, [Task.LIVENESS])
    if face is None:
        raise ValueError("no face in the picture")
    result: Liveness = face.results[Task.LIVENESS]
    return result


def samples(pipeline: Pipeline, data: Path) -> tuple[float, ...]:
    """P(live) of Silent-Face's sample pictures F1, F2 (attacks) and T1 (live)."""
    names = ("F1", "F2", "T1")
    return tuple(liveness_of(pipeline, (data / "spoof" / f"image_{name}.jpg").read_bytes()).score for name in names)


def demography(pipeline: Pipeline, data: Path) -> Demography:
    """UTKFace crops with a black border of half their side; where several faces are found, the largest."""
    return demography_of([(demographics_of(pipeline, person), person) for person in datasets.utkface(data)])


def demographics_of(pipeline: Pipeline, person: datasets.Person) -> Demographics | None:
    """What is said of a UTKFace crop, see `demography`; None: there is no face."""
    face = largest(pipeline, datasets.encoded(datasets.padded(person.image, 0.5)), [Task.DEMOGRAPHICS])
    said: Demographics | None = face.results[Task.DEMOGRAPHICS] if face else None
    return said


def demography_of(said: Sequence[tuple[Demographics | None, datasets.Person]]) -> Demography:
    """Figures of what was said of each person."""
    results = [(result, person) for result, person in said if result]
    errors = np.array([abs(result.age - person.age) for result, person in results])
    right = np.array([(result.gender == "female") == person.female for result, person in results])
    everyone = np.arange(len(results))
    return Demography(
        faces=len(results),
        without_face=len(said) - len(results),
        age_mae=bootstrap(lambda rows: float(errors[rows].mean()), everyone),
        gender=bootstrap(lambda rows: float(right[rows].mean()), everyone),
    )


def _impostor_threshold(vectors: NDArray[np.float32], persons: NDArray[np.str_]) -> Estimate:
    """At FAR 1e-3 over every pair of pictures of two persons; the interval from resampling persons."""
    similarity = vectors @ vectors.T
    upper = np.triu(persons[:, None] != persons[None, :])
    whole = far_threshold(similarity[upper].astype(np.float64), FAR)
    generator, names = np.random.default_rng(0), np.unique(persons)
    values = []
    for _ in range(20):
        drawn = np.isin(persons, generator.choice(names, len(names) // 2, replace=False))
        values.append(
            far_threshold(similarity[np.ix_(drawn, drawn)][upper[np.ix_(drawn, drawn)]].astype(np.float64), FAR)
        )
    # Half the persons at a time: the spread of the whole is 1/√2 of the spread of halves.
    half_width = 1.96 * float(np.std(values)) / np.sqrt(2)
    return Estimate(whole, whole - float(half_width), whole + float(half_width))


def binary(scores: NDArray[np.float64], crops: Sequence[datasets.Crop]) -> Binary:
    """Figures of scores, one for each crop; intervals from resampling groups."""
    positive = np.array([crop.positive for crop in crops])
    groups = np.array([crop.group for crop in crops])
    threshold = bootstrap(lambda rows: equal_error_threshold(scores[rows], positive[rows]), groups, 200)
    right = (scores >= threshold.value) == positive
    return Binary(
        crops=len(crops),
        auc=bootstrap(lambda rows: auc(scores[rows], positive[rows]), groups, 200),
        threshold=threshold,
        accuracy=bootstrap(lambda rows: float(right[rows].mean()), groups, 200),
    )


def largest(pipeline: Pipeline, content: bytes, tasks: Sequence[Task]) -> FaceReport | None:
    """The largest face of a picture; None: there is no face."""
    report = pipeline.analyze(open_picture(content), tasks)
    return max(report.faces, key=lambda face: face.face.area, default=None)


def score(pipeline: Pipeline, crop: datasets.Crop, task: Task, margin: float) -> float:
    """The score of a crop given as the face: `margin` is how many times the face box the crop is."""
    height, width = crop.image.shape[:2]
    inset_x, inset_y = width * (1 - 1 / margin) / 2, height * (1 - 1 / margin) / 2
    face = Face((inset_x, inset_y, width - inset_x, height - inset_y), 1.0, None)
    picture = open_picture(datasets.encoded(crop.image))
    report = pipeline.describe(picture, Report(width, height, (FaceReport(face),), {}, {}, {}), [task])
    score: float = report.faces[0].results[task].score
    return score


def open_picture(content: bytes) -> Picture:
    """Through the front door of the pipeline, with the default limits."""
    return Picture(content, read_header(content, LIMITS))
