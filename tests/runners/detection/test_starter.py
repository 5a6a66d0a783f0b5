"""The starter detector's output as boxes and landmarks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.catalogue import load_catalogue
from runners.detection.grid import STRIDES
from runners.detection.starter import StarterDetector

pytestmark = pytest.mark.unit

CANVAS = (320, 320)
CELLS = [(stride, row, column) for stride in STRIDES for row in range(320 // stride) for column in range(320 // stride)]


@pytest.fixture(scope="module")
def adapter() -> StarterDetector:
    return StarterDetector(load_catalogue().spec("starter_detector"))


@given(
    st.integers(0, len(CELLS) - 1),
    st.lists(st.floats(0, 8, width=32), min_size=4, max_size=4),
    st.lists(st.floats(-4, 4, width=32), min_size=10, max_size=10),
)
def test_a_cell_says_a_box_and_five_points(
    adapter: StarterDetector, cell: int, sides: list[float], offsets: list[float]
) -> None:
    """Lengths in strides from the middle of the cell, whichever cell it is."""
    stride, row, column = CELLS[cell]
    output = np.full((1, len(CELLS), 15), -9, np.float32)
    output[0, cell] = [2.0, *sides, *offsets]
    found = adapter.decode({"cells": output}, CANVAS, 0.5)
    x, y = (column + 0.5) * stride, (row + 0.5) * stride
    left, top, right, bottom = (side * stride for side in sides)
    np.testing.assert_allclose(found.boxes, [[x - left, y - top, x + right, y + bottom]], atol=1e-3)
    np.testing.assert_allclose(found.scores, [1 / (1 + np.exp(-2.0))], rtol=1e-5)
    assert found.landmarks is not None
    wanted = np.array(offsets).reshape(1, 5, 2) * stride + [x, y]
    np.testing.assert_allclose(found.landmarks, wanted, atol=1e-3)


def test_what_lies_below_the_score_is_left_out(adapter: StarterDetector) -> None:
    found = adapter.decode({"cells": np.zeros((1, len(CELLS), 15), np.float32)}, CANVAS, 0.51)
    assert len(found.boxes) == 0
