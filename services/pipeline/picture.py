"""One picture at the resolutions that the work asks for, decoded as little as possible."""

from __future__ import annotations

import time
from typing import Final

import cv2
import numpy as np

from facesocial.errors import ImageTruncated
from facesocial.results import Image
from services.pipeline.header import Header

EAGER_PIXELS: Final = 2_000_000
"""Up to this size a JPEG is decoded in full at once: its small faces would ask for it anyway, and twice costs more."""

REDUCED: Final = (
    cv2.IMREAD_COLOR,
    cv2.IMREAD_REDUCED_COLOR_2,
    cv2.IMREAD_REDUCED_COLOR_4,
    cv2.IMREAD_REDUCED_COLOR_8,
)
"""Decoder flag per level; level n has 2⁻ⁿ of the full sides. JPEG skips the coefficients it does not need."""

TURNS: Final = {2: (None, 1), 3: (cv2.ROTATE_180, None), 4: (None, 0), 5: (cv2.ROTATE_90_CLOCKWISE, 1)} | {
    6: (cv2.ROTATE_90_CLOCKWISE, None),
    7: (cv2.ROTATE_90_COUNTERCLOCKWISE, 1),
    8: (cv2.ROTATE_90_COUNTERCLOCKWISE, None),
}
"""EXIF orientation → (rotation, flip axis after it)."""


class Picture:
    """A file whose header has passed the gate. Not thread-safe: one request, one thread, one picture."""

    def __init__(self, data: bytes, header: Header) -> None:
        self._data = np.frombuffer(data, np.uint8)
        self._header = header
        self.levels: dict[int, Image] = {}
        self.width, self.height = header.upright
        self.decode_seconds = 0.0

    def at(self, resolution: float) -> Image:
        """The smallest version with sides of at least `resolution` (0 … 1] times the full ones.

        uint8 [h, w, 3], BGR, upright.

        Raises:
            ImageTruncated: the pixels end early or are damaged.
        """
        level = next(level for level in (3, 2, 1, 0) if 0.5**level >= resolution or level == 0)
        if level not in self.levels:
            started = time.perf_counter()
            self.levels[level] = self._make(level)
            self.decode_seconds += time.perf_counter() - started
        return self.levels[level]

    def _make(self, level: int) -> Image:
        finer = max((known for known in self.levels if known < level), default=None)
        if finer is None and self._header.format == "jpeg" and self.width * self.height > EAGER_PIXELS:
            return self._decode(level)
        if finer is None:
            finer = 0
            self.levels[0] = self._decode(0)
        image = self.levels[finer]
        size = -(-self.width >> level), -(-self.height >> level)
        return image if finer == level else np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)

    def _decode(self, level: int) -> Image:
        try:
            image = cv2.imdecode(self._data, REDUCED[level] | cv2.IMREAD_IGNORE_ORIENTATION)
        except cv2.error as error:
            raise ImageTruncated("the image cannot be decoded") from error
        if image is None or image.shape[:2] != self._stored(level):
            raise ImageTruncated("the image ends early or is damaged")
        return _turn(np.asarray(image, np.uint8), self._header.orientation)

    def _stored(self, level: int) -> tuple[int, int]:
        """(height, width) that the header promises for a level."""
        return -(-self._header.height >> level), -(-self._header.width >> level)


def _turn(image: Image, orientation: int) -> Image:
    rotation, flip = TURNS.get(orientation, (None, None))
    if rotation is not None:
        image = np.asarray(cv2.rotate(image, rotation), np.uint8)
    return image if flip is None else np.asarray(cv2.flip(image, flip), np.uint8)
