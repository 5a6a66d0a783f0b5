"""Pictures with the faces that the teacher finds in them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from cli.bench.accuracy import open_picture
from facesocial.results import Image
from training.portraits import BORDER, CROPS, pictures
from training.teachers import finder

SURE: Final = 0.6
"""The teacher's own threshold: a face."""

DOUBT: Final = 0.3
"""From here on it may be one: nothing is learned there."""

EVERY: Final = {"mesonet-real": 6, "mesonet-deepfake": 6, "nuaa-imposter": 1000}
"""One in so many of sets that are frames of few videos; screens and prints are not needed to find faces."""

LONGEST: Final = 480
"""Pictures are kept no larger, in pixels."""


@dataclass(frozen=True, slots=True)
class Source:
    """A picture, uint8 [h, w, 3] BGR; boxes [n, 4], landmarks [n, 5, 2], and which of them are surely faces."""

    image: Image
    boxes: NDArray[np.float32]
    points: NDArray[np.float32]
    known: NDArray[np.bool_]
    group: str

    def mirrored(self) -> Source:
        """Left and right swapped: the left eye is the right one then."""
        width = self.image.shape[1]
        boxes = self.boxes.copy()
        boxes[:, [0, 2]] = width - self.boxes[:, [2, 0]]
        points = self.points[:, [1, 0, 2, 4, 3]].copy()
        points[:, :, 0] = width - points[:, :, 0]
        return Source(np.ascontiguousarray(self.image[:, ::-1]), boxes, points, self.known, self.group)


def sources(data: Path, cache: Path) -> list[Source]:
    """All but the group picture, which judges; found once, then kept in `cache`."""
    file = cache / "sources.npz"
    if not file.exists():
        found = list(_found(data))
        stored = {
            f"{index}/{name}": np.asarray(getattr(source, name))
            for index, source in enumerate(found)
            for name in Source.__slots__
        }
        part = file.with_suffix(".part.npz")
        np.savez(part, allow_pickle=False, **stored)
        part.replace(file)
    with np.load(file) as stored_file:
        count = len(stored_file.files) // len(Source.__slots__)
        rows = ([stored_file[f"{index}/{name}"] for name in Source.__slots__] for index in range(count))
        return [Source(image, boxes, points, known, str(group)) for image, boxes, points, known, group in rows]


def _found(data: Path) -> Iterator[Source]:
    seen = dict[str, int]()
    for content, origin, group, name in track(list(pictures(data)), "finding faces in whole pictures"):
        seen[origin] = seen.get(origin, -1) + 1
        if seen[origin] % EVERY.get(origin, 1) or name == "six_faces.jpg":
            continue
        picture = open_picture(content)
        faces = [report.face for report in finder().detect(picture, DOUBT, 50).faces]
        faces = [face for face in faces if face.landmarks is not None]
        if not faces:
            continue
        image, inset = picture.at(1.0), np.zeros(2, np.float32)
        if origin in CROPS:  # the border has done its work
            top, left = (round(side * BORDER / (1 + 2 * BORDER)) for side in image.shape[:2])
            image, inset = image[top:-top, left:-left], np.array([left, top], np.float32)
        share = min(1.0, LONGEST / max(image.shape[:2]))
        if share < 1:
            image = np.asarray(
                cv2.resize(np.ascontiguousarray(image), None, fx=share, fy=share, interpolation=cv2.INTER_AREA),
                np.uint8,
            )
        yield Source(
            image,
            (np.array([face.box for face in faces], np.float32) - np.tile(inset, 2)) * np.float32(share),
            (np.array([face.landmarks for face in faces], np.float32) - inset) * np.float32(share),
            np.array([face.score >= SURE for face in faces]),
            group,
        )
