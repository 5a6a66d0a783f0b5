"""A swapped face is the other's, where the face is, and nothing else changes."""

from __future__ import annotations

import numpy as np
import pytest

from facesocial.results import Face
from training.judging.forgeries import swapped
from training.pictures import Photograph

pytestmark = pytest.mark.unit

POINTS = np.array([[58, 62], [92, 62], [75, 82], [62, 100], [88, 100]], np.float32)


def photograph(seed: int, landmarks: bool = True) -> Photograph:
    image = np.random.default_rng(seed).integers(60, 200, (150, 150, 3)).astype(np.uint8)
    return Photograph(
        image, "lfw", f"lfw/{seed}", f"{seed}.jpg", (Face((40, 30, 110, 120), 1.0, POINTS if landmarks else None),)
    )


def test_the_face_is_the_others_and_the_rest_is_left() -> None:
    """The middle has the source's pattern (recoloured alike), outside the box no pixel changes."""
    target, source = photograph(1), photograph(2)
    made = swapped(target, source)
    outside = np.ones(made.shape[:2], bool)
    outside[30:121, 40:111] = False
    assert (made[outside] == target.image[outside]).all()
    middle = np.s_[70:95, 65:85]
    there, other = made[middle].astype(float).ravel(), source.image[middle].astype(float).ravel()
    assert np.corrcoef(there, other)[0, 1] > 0.95


def test_without_landmarks_there_is_no_swap() -> None:
    with pytest.raises(ValueError, match="landmarks"):
        swapped(photograph(1), photograph(2, landmarks=False))
