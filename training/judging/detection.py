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
from training.detector.views import SAME, VIEWS, apart
from training.judging.trial import Candidate, Figure, beside_teachers, share
from training.overlap import common, overlap
from training.pictures import Photograph

SMALLEST: Final = 60.0
"""Side of the faces whose landmarks are compared, pixels: geometric mean of the teacher's box."""

CLOSE: Final = (0.5, 0.6, 0.7, 0.9)
"""Side of the face as a share of the picture's: a portrait, a passport, a camera held close."""

PARTS: Final = 120
"""Face-free pictures, at least: whole wallpapers and, until there are enough, parts of them."""


def figures(
    model: Candidate, left_out: Sequence[Photograph], settled: Sequence[Photograph], work: Path
) -> list[Figure]:
    """Of a network that never saw the persons on the photographs `left_out`; `settled`: the same, see `views`."""
    judge = beside_teachers(model)
    group = sample().read_bytes()
    found, six = _found(judge, group), _found(beside_teachers(None), group)
    right = sum(_same(face, found) is not None for face in six)
    shown = [
        (photograph.faces, _found(judge, encoded(photograph.image))) for photograph in left_out if photograph.faces
    ]
    wanted = [_largest(faces) for faces, _ in shown]
    got = [_same(largest, ours) for largest, (_, ours) in zip(wanted, shown, strict=True)]
    medians = [_largest(photograph.faces) for photograph in settled if photograph.faces]
    hit = np.array([face is not None for face in got])
    large = [
        (face, one, many)
        for face, one, many in zip(got, wanted, medians, strict=True)
        if face and one.area >= SMALLEST**2
    ]
    errors = np.array([[apart(face, one), apart(face, many)] for face, one, many in large])
    nested = np.array([_nested(ours) for _, ours in shown])
    extra = np.array([sum(_same(face, theirs) is None for face in ours) for theirs, ours in shown])
    close = [_close_ups(judge, left_out, part) for part in CLOSE]
    pictures, images = zip(*_without_face(work), strict=True)
    false = np.array([len(_found(judge, encoded(image))) for image in images])
    least = bootstrap(lambda rows: float(hit[rows].mean()), np.arange(len(wanted)))
    once = bootstrap(lambda rows: float(errors[rows, 0].mean()), np.arange(len(errors)))
    median = bootstrap(lambda rows: float(errors[rows, 1].mean()), np.arange(len(errors)))
    inside = bootstrap(lambda rows: 100 * float(nested[rows].mean()), np.arange(len(nested)))
    more = bootstrap(lambda rows: 100 * float(extra[rows].mean()), np.arange(len(extra)))
    wrong = bootstrap(lambda rows: 100 * float(false[rows].mean()), np.array(pictures))
    return [
        Figure(
            f"the teacher's faces in the group picture, IoU ≥ {SAME}, and others",
            f"{right} of {len(six)}, {len(found) - right}",
            "6 of 6",
            right == 6,
        ),
        Figure(
            f"faces of LFW found, {len(wanted)} pictures of persons left out, IoU with the teacher's ≥ {SAME}",
            share(least),
            "≥ 99 %",
            least.value >= 0.99,
        ),
        Figure("faces inside another, in 100 of these pictures", str(inside)),
        Figure("faces that the teacher does not see, in 100 of these pictures", str(more)),
        Figure(
            f"close-ups of them found, the face {', '.join(f'{part:g}' for part in CLOSE)} of the side",
            ", ".join(f"{found} of {count}" for found, count in close),
        ),
        Figure(
            f"landmarks off the teacher's, of the distance of the eyes; {len(errors)} faces ≥ {SMALLEST:.0f} px",
            share(once),
            "≤ 5 %",
            once.value <= 0.05,
        ),
        Figure(
            f"the same, off the median of what the teacher says of {len(VIEWS)} views of each picture",
            share(median),
            "≤ 5 %",
            median.value <= 0.05,
        ),
        Figure(
            f"false faces in 100 face-free pictures: {len(set(pictures))}, and quarters of them, {len(images)} in all",
            str(wrong),
            "≤ 1",
            wrong.value <= 1,
        ),
    ]


def _close_ups(judge: Pipeline, photographs: Sequence[Photograph], part: float) -> tuple[int, int]:
    """How many are found, and of how many: squares cut about the largest face, where the picture has as much."""
    found = count = 0
    for photograph in photographs:
        if not photograph.faces:
            continue
        face = _largest(photograph.faces)
        x1, y1, x2, y2 = face.box
        half = round(float(np.sqrt(face.area)) / part / 2)
        x, y = round((x1 + x2) / 2), round((y1 + y2) / 2)
        height, width = photograph.image.shape[:2]
        if half <= min(x, y, width - x, height - y):
            shown = np.ascontiguousarray(photograph.image[y - half : y + half, x - half : x + half])
            wanted = Face((x1 - x + half, y1 - y + half, x2 - x + half, y2 - y + half), 1.0, None)
            found += _same(wanted, _found(judge, encoded(shown))) is not None
            count += 1
    return found, count


def _found(pipeline: Pipeline, content: bytes) -> list[Face]:
    return [report.face for report in pipeline.detect(open_picture(content), None, 100).faces]


def _largest(faces: Sequence[Face]) -> Face:
    return max(faces, key=lambda face: face.area)


def _same(wanted: Face, faces: Sequence[Face]) -> Face | None:
    """The one of these that is the same face."""
    best = max(faces, key=lambda face: overlap(face, wanted), default=None)
    return best if best and overlap(best, wanted) >= SAME else None


def _nested(faces: Sequence[Face]) -> int:
    """How many lie by half or more inside one that is surer."""
    return sum(
        any(common(face, other) >= face.area / 2 for other in faces[:number]) for number, face in enumerate(faces)
    )


def _without_face(work: Path) -> list[tuple[int, Image]]:
    """Pictures of packages that nothing was learned from, whole, then their quarters; and the number of each picture.

    At least `PARTS`, if there are as many.
    """
    whole = list(enumerate(backgrounds(JUDGED, work)))
    quarters = [
        (
            number,
            np.ascontiguousarray(image[row : row + image.shape[0] // 2, column : column + image.shape[1] // 2]),
        )
        for number, image in whole
        for row in (0, image.shape[0] // 2)
        for column in (0, image.shape[1] // 2)
    ]
    return [*whole, *quarters][: max(PARTS, len(whole))]
