"""What part of a picture a network sees of a face. Each rule is data, so that equal crops are cut once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

import cv2
import numpy as np

from facesocial.results import Face, Image, Tensor

ARCFACE_TEMPLATE: Final[Tensor] = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]], np.float32
)
"""Where the five landmarks lie in a 112×112 face (InsightFace, `face_align.py`)."""


class PixelSource(Protocol):
    """A picture that can be had at several resolutions."""

    @property
    def width(self) -> int:
        """Width of the upright, full-size picture in pixels."""
        ...

    @property
    def height(self) -> int:
        """Height of the upright, full-size picture in pixels."""
        ...

    def at(self, resolution: float) -> Image:
        """The cheapest version whose sides are at least `resolution` (0 … 1] times the full ones; upright, BGR."""
        ...


class Crop(Protocol):
    """A rule that cuts one face out of a picture. Hashable: equal rules give equal pixels."""

    def cut(self, source: PixelSource, face: Face) -> Image | None:
        """uint8 [h, w, 3] BGR of the rule's size, or None when the face lacks what the rule needs."""
        ...


@dataclass(frozen=True, slots=True)
class AlignedCrop:
    """Five landmarks moved onto ArcFace's template by rotation, scale and shift; `side` pixels square.

    `margin` pixels around that square are cut too.

    InsightFace's `norm_crop` gives the same pixels to ±1 and takes 1.7 times as long; it comes with the extra `demo`.
    """

    side: int = 112
    margin: int = 0

    def cut(self, source: PixelSource, face: Face) -> Image | None:
        """None when the detector gave no landmarks, or all five in one point."""
        if face.landmarks is None:
            return None
        template = ARCFACE_TEMPLATE * np.float32(self.side / 112) + np.float32(self.margin)
        to_crop = similarity(face.landmarks, template)
        if to_crop is None:
            return None
        pixels = source.at(min(1.0, float(np.hypot(to_crop[0, 0], to_crop[1, 0]))))
        factor = source.width / pixels.shape[1]
        to_crop[:, 2] += to_crop[:, :2].sum(axis=1) * (factor - 1) / 2  # pixel centres: x + ½ = factor · (x' + ½)
        to_crop[:, :2] *= factor
        whole = self.side + 2 * self.margin
        return _warp(pixels, to_crop, (whole, whole))


@dataclass(frozen=True, slots=True)
class ShiftedCrop:
    """The box scaled about its centre, made to fit and moved to stay inside the picture.

    Source: Silent-Face-Anti-Spoofing, `generate_patches.py`.
    """

    scale: float
    size: tuple[int, int]

    def cut(self, source: PixelSource, face: Face) -> Image | None:
        """None for a box without area."""
        if face.area <= 0:
            return None
        scale = min(self.scale, (source.width - 1) / face.width, (source.height - 1) / face.height)
        width, height = face.width * scale, face.height * scale
        left = min(max((face.box[0] + face.box[2] - width) / 2, 0), source.width - 1 - width)
        top = min(max((face.box[1] + face.box[3] - height) / 2, 0), source.height - 1 - height)
        return _cut_rectangle(source, (left, top, left + width, top + height), self.size)


@dataclass(frozen=True, slots=True)
class SquareCrop:
    """A square about the centre of the face box, `scale` times its longer side, black outside the picture.

    InsightFace's `transform`, which is half a pixel off in the crop, takes 1.7 times as long.
    """

    scale: float
    size: tuple[int, int]
    interpolation: int = cv2.INTER_LINEAR

    def cut(self, source: PixelSource, face: Face) -> Image | None:
        """None for a box without area."""
        if face.area <= 0:
            return None
        return _cut_rectangle(source, self.rectangle(face), self.size, self.interpolation)

    def rectangle(self, face: Face) -> tuple[float, float, float, float]:
        """The square (x1, y1, x2, y2) in pixels of the picture; it may reach outside."""
        half = self.scale * max(face.width, face.height) / 2
        x, y = (face.box[0] + face.box[2]) / 2, (face.box[1] + face.box[3]) / 2
        return x - half, y - half, x + half, y + half


def similarity(points: Tensor, template: Tensor) -> Tensor | None:
    """The least-squares rotation, scale and shift from `points` to `template`: float32 [2, 3], None if they coincide.

    In complex numbers w ≈ a·z + b with a = Σ conj(z−z̄)(w−w̄) / Σ|z−z̄|²: Umeyama's solution without reflection.
    InsightFace's `estimate_norm` (scikit-image) takes 3.5 times as long.
    """
    source = points[:, 0] + 1j * points[:, 1]
    target = template[:, 0] + 1j * template[:, 1]
    centred = source - source.mean()
    spread = float(np.vdot(centred, centred).real)
    if not np.isfinite(spread) or spread < 1e-6:
        return None
    a = np.vdot(centred, target - target.mean()) / spread
    b = target.mean() - a * source.mean()
    return np.array([[a.real, -a.imag, b.real], [a.imag, a.real, b.imag]], np.float32)


def _cut_rectangle(
    source: PixelSource,
    box: tuple[float, float, float, float],
    size: tuple[int, int],
    interpolation: int = cv2.INTER_LINEAR,
) -> Image:
    """Resample `box` (full-size pixels, may reach outside) to `size` (width, height)."""
    scale_x, scale_y = size[0] / (box[2] - box[0]), size[1] / (box[3] - box[1])
    pixels = source.at(min(1.0, max(scale_x, scale_y)))
    factor = source.width / pixels.shape[1]
    # Pixel centres: crop (u + ½) ↔ picture (x + ½), as in cv2.resize.
    to_crop = np.array(
        [
            [scale_x * factor, 0, (0.5 * factor - box[0]) * scale_x - 0.5],
            [0, scale_y * factor, (0.5 * factor - box[1]) * scale_y - 0.5],
        ],
        np.float32,
    )
    return _warp(pixels, to_crop, size, interpolation)


def _warp(pixels: Image, to_crop: Tensor, size: tuple[int, int], interpolation: int = cv2.INTER_LINEAR) -> Image:
    warped = cv2.warpAffine(pixels, to_crop, size, flags=interpolation, borderMode=cv2.BORDER_CONSTANT)
    return np.asarray(warped, np.uint8)
