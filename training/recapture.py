"""A picture of a picture: what a camera sees when a print or a screen is held before it."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from facesocial.results import Image
from training.distortion import recolour, soften

Box = tuple[float, float, float, float]


def recapture(image: Image, box: Box, behind: Image, generator: np.random.Generator) -> tuple[Image, Box]:
    """Lays a part of the picture, as paper or on a screen, before another picture.

    Args:
        image: uint8 [h, w, 3] BGR with a face.
        box: of the face.
        behind: uint8 square: the room.
        generator: decides.

    Returns:
        A picture of the size of `behind`, and the box of the face in it.
    """
    part, (x1, y1, x2, y2) = _part(image, box, generator)
    paper = generator.random() < 0.5
    part = _printed(part, generator) if paper else _shown(part, generator)
    part, inset = _framed(part, paper, generator)
    side = behind.shape[0]
    face = side * float(generator.uniform(0.25, 0.5))
    scale = face / max(x2 - x1, y2 - y1)
    middle = np.array([(x1 + x2) / 2 + inset, (y1 + y2) / 2 + inset])
    to_scene = cv2.getRotationMatrix2D((float(middle[0]), float(middle[1])), float(generator.normal(0, 6)), scale)
    to_scene[:, 2] = to_scene[:, 2] + side * generator.uniform(0.35, 0.65, 2) - middle
    tilt = np.vstack([to_scene, [*generator.normal(0, 0.06 / max(part.shape[:2]), 2), 1.0]])
    laid = cv2.warpPerspective(part, tilt, (side, side))
    opacity = cv2.warpPerspective(np.ones(part.shape[:2], np.float32), tilt, (side, side))[:, :, None]
    scene = laid * opacity + behind * (1 - opacity)
    centre = tilt @ np.array([*middle, 1.0])
    x, y = (centre[:2] / centre[2]).tolist()
    wide, high = (x2 - x1) * scale / 2, (y2 - y1) * scale / 2
    return np.asarray(_glared(scene, generator), np.uint8), (x - wide, y - high, x + wide, y + high)


def _part(image: Image, box: Box, generator: np.random.Generator) -> tuple[Image, Box]:
    """As much of the picture as the print or the screen shows."""
    x1, y1, x2, y2 = box
    height, width = image.shape[:2]
    left, right, above, below = ((x2 - x1) * generator.uniform(0.15, 1.2, 4)).tolist()
    start_x, start_y = max(0, int(x1 - left)), max(0, int(y1 - above))
    end_x, end_y = min(width, int(x2 + right) + 1), min(height, int(y2 + below) + 1)
    return image[start_y:end_y, start_x:end_x], (x1 - start_x, y1 - start_y, x2 - start_x, y2 - start_y)


def _printed(image: Image, generator: np.random.Generator) -> Image:
    """Fewer colours, a lift of the blacks, now and then the dots of the printer."""
    pixels = image.astype(np.float32) * np.float32(generator.uniform(0.6, 0.9)) + np.float32(generator.uniform(15, 55))
    if generator.random() < 0.3:
        pitch = float(generator.uniform(2, 4))
        pixels += np.float32(generator.uniform(3, 10)) * _waves(image.shape[:2], pitch, generator)
    return recolour(np.asarray(np.clip(pixels, 0, 255), np.uint8), generator, 0.6)


def _shown(image: Image, generator: np.random.Generator) -> Image:
    """Bluish and bright, with the moiré of two grids of pixels."""
    cast = np.array([generator.uniform(1.0, 1.25), generator.uniform(0.95, 1.1), generator.uniform(0.8, 1.0)])
    pixels = image.astype(np.float32) * (cast * generator.uniform(0.8, 1.2)).astype(np.float32)
    if generator.random() < 0.6:
        moire = _waves(image.shape[:2], float(generator.uniform(3, 14)), generator)
        colours = generator.uniform(0.3, 1, 3).astype(np.float32)
        pixels += np.float32(generator.uniform(2, 12)) * moire * colours
    return np.asarray(np.clip(pixels, 0, 255), np.uint8)


def _waves(size: tuple[int, ...], pitch: float, generator: np.random.Generator) -> NDArray[np.float32]:
    """float32 [h, w, 1] in −1 … 1: two gratings, slightly bent."""
    y, x = np.mgrid[: size[0], : size[1]].astype(np.float32)
    total = np.zeros(size, np.float32)
    for _ in range(2):
        angle, bend = generator.uniform(0, np.pi), generator.normal(0, 0.002)
        along = x * np.cos(angle) + y * np.sin(angle) + bend * (x - y) ** 2 / 10
        total += np.sin(2 * np.pi * along / pitch + generator.uniform(0, 6)).astype(np.float32)
    return np.asarray(total[:, :, None] / 2, np.float32)


def _framed(image: Image, paper: bool, generator: np.random.Generator) -> tuple[Image, int]:
    """With the white margin of a print, or none, or the bezel of a screen; and its width in pixels."""
    if paper and generator.random() < 0.4:
        return image, 0
    width = max(1, int(min(image.shape[:2]) * generator.uniform(0.02, 0.12)))
    level = generator.uniform(170, 250) if paper else generator.uniform(0, 50)
    border = [float(level + generator.normal(0, 6)) for _ in range(3)]
    return np.asarray(cv2.copyMakeBorder(image, *(width,) * 4, cv2.BORDER_CONSTANT, value=border), np.uint8), width


def _glared(scene: NDArray[np.floating], generator: np.random.Generator) -> Image:
    """At times a reflection of a lamp, and the softness of a camera that looks from near."""
    if generator.random() < 0.35:
        side = scene.shape[0]
        spot = np.zeros((side, side), np.float32)
        centre = tuple(int(at) for at in generator.integers(0, side, 2))
        axes = tuple(int(at) for at in generator.integers(max(2, side // 40), max(3, side // 6), 2))
        cv2.ellipse(spot, centre, axes, float(generator.uniform(0, 180)), 0, 360, 1.0, -1)
        spot = np.asarray(cv2.GaussianBlur(spot, (0, 0), side / float(generator.uniform(12, 60))), np.float32)
        scene = scene + spot[:, :, None] * np.float32(generator.uniform(40, 200))
    image = np.asarray(np.clip(scene, 0, 255), np.uint8)
    return soften(image, generator, 1.2) if generator.random() < 0.5 else image
