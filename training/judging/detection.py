"""The detector: the group picture, the persons of a fold it never saw, and pictures without a face."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from cli.bench.accuracy import open_picture
from cli.bench.datasets import encoded
from cli.bench.metrics import bootstrap
from cli.demo import sample
from facesocial.results import Face, Image
from services.pipeline.pipeline import Pipeline
from training.backgrounds import JUDGED, backgrounds
from training.judging.trial import Candidate, Figure, beside_teachers, share
from training.pictures import Photograph

SMALLEST: Final = 60.0
"""Side of the faces whose landmarks are compared, pixels: geometric mean of the teacher's box."""

SAME: Final = 0.5
"""Intersection over union from which on two boxes are one face."""

PARTS: Final = 120
"""Face-free pictures, at least: whole wallpapers and, until there are enough, parts of them."""


def figures(model: Candidate, left_out: Sequence[Photograph], work: Path) -> list[Figure]:
    """Of a network that never saw the persons on the photographs `left_out`."""
    judge = beside_teachers(model)
    group = len(_found(judge, sample().read_bytes()))
    pairs = [_matched(judge, photograph) for photograph in left_out if photograph.faces]
    hit = np.array([face is not None for face, _ in pairs])
    errors = np.array([_error(face, wanted) for face, wanted in pairs if face and wanted.area >= SMALLEST**2])
    empty = _without_face(work)
    false = 100 * sum(len(_found(judge, encoded(image))) for image in empty) / len(empty)
    found = bootstrap(lambda rows: float(hit[rows].mean()), np.arange(len(pairs)))
    error = bootstrap(lambda rows: float(errors[rows].mean()), np.arange(len(errors)))
    return [
        Figure("faces in the group picture", str(group), "6", group == 6),
        Figure(
            f"faces of LFW found, {len(pairs)} pictures of persons left out, IoU with the teacher's ≥ {SAME}",
            share(found),
            "≥ 99 %",
            found.value >= 0.99,
        ),
        Figure(
            f"landmarks off the teacher's, of the distance of the eyes; {len(errors)} faces ≥ {SMALLEST:.0f} px",
            share(error),
            "≤ 5 %",
            error.value <= 0.05,
        ),
        Figure(
            f"false faces in 100 face-free pictures, of {len(empty)}, which the teacher chose",
            f"{false:.2f}",
            "≤ 1",
            false <= 1,
        ),
    ]


def _found(pipeline: Pipeline, content: bytes) -> list[Face]:
    return [report.face for report in pipeline.detect(open_picture(content), None, 100).faces]


def _matched(pipeline: Pipeline, photograph: Photograph) -> tuple[Face | None, Face]:
    """The teacher's largest face, and ours that is the same."""
    wanted = max(photograph.faces, key=lambda face: face.area)
    best = max(_found(pipeline, encoded(photograph.image)), key=lambda face: _overlap(face, wanted), default=None)
    return (best if best and _overlap(best, wanted) >= SAME else None), wanted


def _overlap(one: Face, other: Face) -> float:
    low, high = np.maximum(one.box[:2], other.box[:2]), np.minimum(one.box[2:], other.box[2:])
    both = float(np.prod(np.clip(high - low, 0, None)))
    return both / (one.area + other.area - both)


def _error(ours: Face, teacher: Face) -> float:
    if ours.landmarks is None or teacher.landmarks is None:
        raise ValueError("a face without landmarks")
    eyes = float(np.linalg.norm(teacher.landmarks[0] - teacher.landmarks[1]))
    return float(np.linalg.norm(ours.landmarks - teacher.landmarks, axis=1).mean()) / eyes


def _without_face(work: Path) -> list[Image]:
    """Whole pictures of packages that nothing was learned from, then their quarters."""
    whole = backgrounds(JUDGED, work)
    quarters = [
        np.ascontiguousarray(image[row : row + image.shape[0] // 2, column : column + image.shape[1] // 2])
        for image in whole
        for row in (0, image.shape[0] // 2)
        for column in (0, image.shape[1] // 2)
    ]
    return [*whole, *quarters][: max(PARTS, len(whole))]
