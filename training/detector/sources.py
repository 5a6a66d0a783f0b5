"""Pictures whose faces are cut out and laid into scenes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from facesocial.results import Image
from training.pictures import SURE, Photograph

EVERY: Final = {"mesonet": 6}
"""One in so many of a set that is frames of few videos."""

LONGEST: Final = 480
"""Pictures are kept no larger, in pixels."""


@dataclass(frozen=True, slots=True)
class Source:
    """A picture, uint8 [h, w, 3] BGR; boxes [n, 4], landmarks [n, 5, 2], and which of them are surely faces."""

    image: Image
    boxes: NDArray[np.float32]
    points: NDArray[np.float32]
    known: NDArray[np.bool_]

    def mirrored(self) -> Source:
        """Left and right swapped: the left eye is the right one then."""
        width = self.image.shape[1]
        boxes = self.boxes.copy()
        boxes[:, [0, 2]] = width - self.boxes[:, [2, 0]]
        points = self.points[:, [1, 0, 2, 4, 3]].copy()
        points[:, :, 0] = width - points[:, :, 0]
        return Source(np.ascontiguousarray(self.image[:, ::-1]), boxes, points, self.known)


def sources(
    photographs: Iterable[Photograph], labelled: Callable[[Photograph], Photograph] = lambda photograph: photograph
) -> list[Source]:
    """Of pictures with a face, `labelled` anew; the group picture, which judges, and NUAA's prints are left out."""
    seen, kept = Counter[str](), list[Source]()
    for photograph in photographs:
        seen[photograph.origin] += 1
        judges = photograph.name == "six_faces.jpg" or photograph.name.startswith("imposter/")
        if photograph.faces and not judges and seen[photograph.origin] % EVERY.get(photograph.origin, 1) == 0:
            kept.append(_source(labelled(photograph)))
    return kept


def _source(photograph: Photograph) -> Source:
    image, faces = photograph.image, photograph.faces
    share = min(1.0, LONGEST / max(image.shape[:2]))
    if share < 1:
        image = np.asarray(cv2.resize(image, None, fx=share, fy=share, interpolation=cv2.INTER_AREA), np.uint8)
    return Source(
        image,
        np.array([face.box for face in faces], np.float32) * np.float32(share),
        np.array([face.landmarks for face in faces], np.float32) * np.float32(share),
        np.array([face.score >= SURE for face in faces]),
    )
