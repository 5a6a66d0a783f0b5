"""What models say about a picture. Pixels count from the upper left corner of the upright, full-size image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Image: TypeAlias = NDArray[np.uint8]
"""uint8 [height, width, 3], BGR."""

Tensor: TypeAlias = NDArray[np.float32]
"""float32 array; the shape is given where it is used."""


@dataclass(frozen=True, slots=True)
class Face:
    """One detected face.

    `box` is (x1, y1, x2, y2) in pixels, `score` lies in [0, 1], `landmarks` is float32 [5, 2]: left eye, right eye,
    nose, left and right mouth corner as seen in the picture, or None when the detector gives none.
    """

    box: tuple[float, float, float, float]
    score: float
    landmarks: Tensor | None

    @property
    def width(self) -> float:
        """Width of the box in pixels."""
        return self.box[2] - self.box[0]

    @property
    def height(self) -> float:
        """Height of the box in pixels."""
        return self.box[3] - self.box[1]

    @property
    def area(self) -> float:
        """Area of the box in square pixels."""
        return self.width * self.height


@dataclass(frozen=True, slots=True)
class Embedding:
    """`vector` is float32 [d], L2-normalised; only vectors of the same `contract` may be compared."""

    contract: str
    vector: Tensor


@dataclass(frozen=True, slots=True)
class Liveness:
    """`score` is P(live) in [0, 1]; `live` is `score >= threshold`."""

    live: bool
    score: float
    threshold: float


@dataclass(frozen=True, slots=True)
class Deepfake:
    """`score` is P(fake) in [0, 1]; `fake` is `score >= threshold`."""

    fake: bool
    score: float
    threshold: float


@dataclass(frozen=True, slots=True)
class Demographics:
    """`age` in years; `gender_score` is the probability of the label, in [0.5, 1]."""

    age: float
    gender: Literal["female", "male"]
    gender_score: float


@dataclass(frozen=True, slots=True)
class Pose:
    """Head rotation in degrees: yaw > 0 turns to the viewer's right, pitch > 0 looks down, roll > 0 tilts clockwise."""

    yaw: float
    pitch: float
    roll: float


@dataclass(frozen=True, slots=True)
class Mesh:
    """`points` is float32 [478, 3]: x and y in pixels, z in pixels relative to the head's centre, smaller is nearer.

    `blendshapes` maps MediaPipe's 52 names to [0, 1].
    """

    points: Tensor
    pose: Pose
    blendshapes: dict[str, float]
