"""What counts as the same face."""

from __future__ import annotations

import pytest

from facesocial.results import Face
from training.overlap import overlap

pytestmark = pytest.mark.unit


def test_overlap_is_of_both_together() -> None:
    whole, half = Face((0, 0, 80, 80), 1.0, None), Face((0, 0, 80, 40), 1.0, None)
    assert overlap(whole, whole) == 1
    assert overlap(whole, half) == pytest.approx(0.5)
    assert overlap(whole, Face((80, 80, 90, 90), 1.0, None)) == 0
