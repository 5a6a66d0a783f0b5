"""Swapped faces as FaceSwap makes them: one face warped onto another by its landmarks, recoloured and blended in."""

from __future__ import annotations

import cv2
import numpy as np

from facesocial.results import Face, Image
from runners.crops import similarity
from training.pictures import Photograph


def swapped(target: Photograph, source: Photograph) -> Image:
    """uint8 [h, w, 3] BGR: the target with the first face of the source.

    Raises:
        ValueError: a face without landmarks, or all of them in one point.
    """
    face, given = target.faces[0], source.faces[0]
    if face.landmarks is None or given.landmarks is None:
        raise ValueError("a swap needs landmarks")
    onto = similarity(given.landmarks, face.landmarks)
    if onto is None:
        raise ValueError("all landmarks lie in one point")
    size = target.image.shape[1::-1]
    laid = cv2.warpAffine(source.image, onto, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    opacity = _inner(face, size)
    inside = opacity > 0.5
    for channel in range(3):
        there, here = target.image[:, :, channel][inside], laid[:, :, channel][inside].astype(np.float32)
        moved = (laid[:, :, channel] - here.mean()) * (there.std() / max(1.0, here.std())) + there.mean()
        laid[:, :, channel] = np.clip(moved, 0, 255)
    return np.asarray(cv2.blendLinear(laid, target.image, opacity, 1 - opacity), np.uint8)


def _inner(face: Face, size: tuple[int, int]) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """float32 [h, w]: a soft oval over brows, nose and mouth; size is (width, height)."""
    x1, y1, x2, y2 = face.box
    mask = np.zeros((size[1], size[0]), np.float32)
    axes = max(2, round(face.width * 0.38)), max(2, round(face.height * 0.36))
    cv2.ellipse(mask, (round((x1 + x2) / 2), round((y1 + y2) / 2 + face.height * 0.04)), axes, 0, 0, 360, 1.0, -1)
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), max(1.0, face.width * 0.04)), np.float32)
