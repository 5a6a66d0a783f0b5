"""Faces that nobody has."""

from __future__ import annotations

import numpy as np
import pytest

from training.morphs import Faces
from training.portraits import SIDE

pytestmark = pytest.mark.unit


@pytest.fixture
def faces() -> Faces:
    """Made of three smooth pictures."""
    generator = np.random.default_rng(0)
    slopes = np.linspace(0, 255, SIDE)[None, :, None, None] * generator.uniform(0.3, 1, (3, 1, 1, 3))
    return Faces(np.broadcast_to(slopes, (3, SIDE, SIDE, 3)).astype(np.uint8), np.ones(3, np.float32), 7)


def test_a_number_is_a_face(faces: Faces) -> None:
    """The same twice, another for another number; of a recogniser's size."""
    first = faces.crop(5)
    assert first.shape == (112, 112, 3)
    assert first.dtype == np.uint8
    assert np.array_equal(first, faces.crop(5))
    assert not np.array_equal(first, faces.crop(6))


def test_with_a_margin_there_is_more_of_it(faces: Faces) -> None:
    """24 pixels on each side."""
    assert faces.crop(5, 24).shape == (160, 160, 3)


def test_a_weight_of_nothing_is_never_drawn() -> None:
    """Black pictures weigh nothing: no crop is dark."""
    images = np.stack([np.zeros((SIDE, SIDE, 3), np.uint8), np.full((SIDE, SIDE, 3), 200, np.uint8)])
    faces = Faces(images, np.array([0, 1], np.float32), 7)
    assert min(np.median(faces.crop(number)) for number in range(40)) > 40
