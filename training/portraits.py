"""Aligned faces with some surroundings."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from runners.crops import AlignedCrop
from training.pictures import SURE, Photograph, Whole

MARGIN: Final = 24
"""Pixels around the 112×112 crop that a recogniser sees: room to turn, shift and zoom."""

SIDE: Final = 112 + 2 * MARGIN


@dataclass(frozen=True, slots=True)
class Portraits:
    """One face per picture, the largest; of `people`, where everybody is somebody, each.

    Attributes:
        images: uint8 [n, 160, 160, 3] BGR; the landmarks lie on ArcFace's template, shifted by the margin.
        origins, groups, names: see `Photograph`.
    """

    images: NDArray[np.uint8]
    origins: NDArray[np.str_]
    groups: NDArray[np.str_]
    names: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.images)

    def select(self, rows: NDArray[np.bool_]) -> Portraits:
        """Those of these rows."""
        return Portraits(self.images[rows], self.origins[rows], self.groups[rows], self.names[rows])

    @classmethod
    def of(cls, photographs: Iterable[Photograph]) -> Portraits:
        """Those of the faces that are surely some."""
        crop, rows = AlignedCrop(margin=MARGIN), []
        for photograph in photographs:
            faces = sorted((face for face in photograph.faces if face.score >= SURE), key=lambda face: -face.area)
            for number, face in enumerate(faces if photograph.origin == "people" else faces[:1]):
                image = crop.cut(Whole(photograph.image), face)
                if image is not None:
                    group = f"{photograph.group}#{number}" if number else photograph.group
                    rows.append((image, photograph.origin, group, photograph.name))
        images, origins, groups, names = zip(*rows, strict=True)
        return cls(np.stack(images), np.array(origins), np.array(groups), np.array(names))
