"""What counts as the same face, and how far its landmarks are off."""

from __future__ import annotations

import numpy as np
import pytest

from facesocial.results import Face
from training.judging import detection

pytestmark = pytest.mark.unit

POINTS = np.array([[20, 20], [60, 20], [40, 40], [25, 60], [55, 60]], np.float32)


def test_overlap_is_of_both_together() -> None:
    whole, half = Face((0, 0, 80, 80), 1.0, POINTS), Face((0, 0, 80, 40), 1.0, POINTS)
    assert detection._overlap(whole, whole) == 1
    assert detection._overlap(whole, half) == pytest.approx(0.5)
    assert detection._overlap(whole, Face((80, 80, 90, 90), 1.0, POINTS)) == 0


def test_four_pixels_of_forty_between_the_eyes_are_a_tenth() -> None:
    ours = Face((0, 0, 80, 80), 1.0, POINTS + np.array([4, 0], np.float32))
    assert detection._error(ours, Face((0, 0, 80, 80), 1.0, POINTS)) == pytest.approx(0.1)
