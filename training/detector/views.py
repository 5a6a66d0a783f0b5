"""Where the teacher sees landmarks in a picture that is shown to it in many ways.

In one way alone it is off by a twentieth of the distance of the eyes from what it says in the median, and by a twelfth
from what it says of the mirrored picture: a student of single looks learns to say what nobody can.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

import cv2
import numpy as np

from cli.bench.accuracy import open_picture
from cli.bench.datasets import encoded
from facesocial.results import Face, Image
from training.overlap import overlap
from training.pictures import DOUBT, Photograph, surrounded
from training.teachers import finder

SAME: Final = 0.5
"""Intersection over union from which on two boxes are one face."""

ASTRAY: Final = 0.4
"""Landmarks that lie so far from those of the first look, in distances of the eyes, are of something else."""


@dataclass(frozen=True, slots=True)
class View:
    """A picture moved by `shift` pixels to the right and down, after it was scaled, after it was mirrored."""

    mirrored: bool
    scale: float
    shift: int

    def of(self, image: Image) -> Image:
        """The picture, shown so."""
        height, width = (round(side * self.scale) + self.shift for side in image.shape[:2])
        turned = np.ascontiguousarray(image[:, ::-1]) if self.mirrored else image
        place = np.array([[self.scale, 0, self.shift], [0, self.scale, self.shift]])
        return np.asarray(cv2.warpAffine(turned, place, (width, height)), np.uint8)

    def undone(self, face: Face, width: int) -> Face:
        """A face seen so, in a picture of this width, where it is in the picture as it was."""
        x1, y1, x2, y2 = ((place - self.shift) / self.scale for place in face.box)
        points = (np.asarray(face.landmarks) - self.shift) / self.scale
        if self.mirrored:
            x1, x2, points = width - x2, width - x1, points[[1, 0, 2, 4, 3]]
            points[:, 0] = width - points[:, 0]
        return Face((x1, y1, x2, y2), face.score, points.astype(np.float32))


VIEWS: Final = tuple(
    View(mirrored, scale, shift)
    for mirrored in (False, True)
    for scale in (0.8, 0.9, 1.0, 1.12, 1.25)
    for shift in (0, 5)
)


def settled(photograph: Photograph) -> Photograph:
    """With the landmarks of each face where the teacher sees them in the median of the views in which it finds it."""
    if not photograph.faces:
        return photograph
    said = [[np.asarray(face.landmarks)] for face in photograph.faces]
    for seen in _seen(photograph):
        number, known = max(enumerate(photograph.faces), key=lambda item: overlap(item[1], seen))
        if overlap(known, seen) >= SAME and apart(seen, known) < ASTRAY:
            said[number].append(np.asarray(seen.landmarks))
    medians = (np.median(points[1:] or points, axis=0).astype(np.float32) for points in said)
    faces = (replace(face, landmarks=points) for face, points in zip(photograph.faces, medians, strict=True))
    return replace(photograph, faces=tuple(faces))


def apart(one: Face, other: Face) -> float:
    """Mean distance of their landmarks, in distances of the other's eyes."""
    if one.landmarks is None or other.landmarks is None:
        raise ValueError("a face without landmarks")
    eyes = float(np.linalg.norm(other.landmarks[0] - other.landmarks[1]))
    return float(np.linalg.norm(one.landmarks - other.landmarks, axis=1).mean()) / eyes


def _seen(photograph: Photograph) -> Iterator[Face]:
    """Every face of every view, in pixels of the photograph."""
    image, inset = surrounded(photograph)
    for view in VIEWS:
        for report in finder().detect(open_picture(encoded(view.of(image))), DOUBT, 50).faces:
            if report.face.landmarks is not None:
                face = view.undone(report.face, image.shape[1])
                x1, y1, x2, y2 = (np.array(face.box) - np.tile(inset, 2)).tolist()
                yield Face((x1, y1, x2, y2), face.score, np.asarray(face.landmarks) - inset)
