"""The starter detector's output as boxes and landmarks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.catalogue import load_catalogue
from runners.detection.grid import STRIDES, cells
from runners.detection.starter import StarterDetector

pytestmark = pytest.mark.unit

CANVAS = (320, 320)
FINEST = (cells(CANVAS, STRIDES[0]) + 0.5) * STRIDES[0]
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
    """Lengths in strides from the middle of the cell, whichever cell it is; the finest cells agree."""
    stride, row, column = CELLS[cell]
    output = np.full((1, len(CELLS), 15), -9, np.float32)
    x, y = (column + 0.5) * stride, (row + 0.5) * stride
    wanted = np.array(offsets).reshape(1, 5, 2) * stride + [x, y]
    output[0, : len(FINEST), 5:] = ((wanted - FINEST[:, None]) / STRIDES[0]).reshape(-1, 10)
    output[0, cell] = [2.0, *sides, *offsets]
    found = adapter.decode({"cells": output}, CANVAS, 0.5)
    left, top, right, bottom = (side * stride for side in sides)
    np.testing.assert_allclose(found.boxes, [[x - left, y - top, x + right, y + bottom]], atol=1e-3)
    np.testing.assert_allclose(found.scores, [1 / (1 + np.exp(-2.0))], rtol=1e-5)
    assert found.landmarks is not None
    np.testing.assert_allclose(found.landmarks, wanted, atol=1e-3)


def test_what_lies_below_the_score_is_left_out(adapter: StarterDetector) -> None:
    found = adapter.decode({"cells": np.zeros((1, len(CELLS), 15), np.float32)}, CANVAS, 0.51)
    assert len(found.boxes) == 0


def test_the_finest_cells_about_a_landmark_have_the_last_word(adapter: StarterDetector) -> None:
    """The mean of the four about its rough place; a landmark outside the canvas stays where it is."""
    output = np.full((1, len(CELLS), 15), -9, np.float32)
    answers = CELLS.index((32, 4, 4))  # centre at 144, 144
    output[0, answers] = [2.0, 2, 2, 2, 2, 0.5, 0, *[0] * 6, 6, 0]  # the first at 160, 144; the last at 336, 144
    finest = output[0, : len(FINEST), 5:7].reshape(40, 40, 2)
    finest[17:19, 19:21] = (np.array([163.0, 141.0]) - FINEST.reshape(40, 40, 2)[17:19, 19:21]) / 8
    finest[17, 19] += [1, 0]
    found = adapter.decode({"cells": output}, CANVAS, 0.5).landmarks
    assert found is not None
    (points,) = found
    np.testing.assert_allclose(points[0], [165, 141], atol=1e-3)
    np.testing.assert_allclose(points[4], [336, 144], atol=1e-3)
