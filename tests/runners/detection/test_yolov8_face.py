"""YOLOv8-face: one face written into the maps by hand comes back where it was put."""

from __future__ import annotations

import numpy as np
import pytest

from models.catalogue import load_catalogue
from runners.detection.yolov8_face import YoloV8Face

pytestmark = pytest.mark.unit

CANVAS = (640, 480)
POINTS = np.array([[100, 60], [130, 60], [115, 80], [103, 95], [128, 95]], np.float32)


def maps() -> dict[str, np.ndarray]:
    """No face anywhere: the class logit is −9."""
    outputs = {
        f"{stride}": np.zeros((1, 80, CANVAS[1] // stride, CANVAS[0] // stride), np.float32) for stride in (8, 16, 32)
    }
    for output in outputs.values():
        output[:, 64] = -9
    return outputs


@pytest.mark.parametrize("order", [("8", "16", "32"), ("32", "8", "16")])
def test_a_face_comes_back(order: tuple[str, ...]) -> None:
    """Column 7, row 5 of stride 16, the sides 2, 3, 4 and 5.5 strides from the cell's middle; the maps in any order."""
    outputs = maps()
    cell = outputs["16"][0, :, 5, 7]
    for side, distance in enumerate((2, 3, 4)):
        cell[side * 16 + distance] = 40
    cell[3 * 16 + 5] = cell[3 * 16 + 6] = 40  # two bins alike: halfway between
    cell[64] = np.log(0.8 / 0.2)
    cell[65:].reshape(5, 3)[:, :2] = (POINTS / 16 - [7, 5]) / 2
    cell[67::3] = 5  # visibility is not a coordinate

    found = YoloV8Face(load_catalogue().spec("yolov8-lite-t")).decode(
        {name: outputs[name] for name in order}, CANVAS, 0.5
    )

    assert found.scores.tolist() == pytest.approx([0.8])
    assert found.boxes[0].tolist() == pytest.approx([120 - 32, 88 - 48, 120 + 64, 88 + 88])
    assert found.landmarks is not None
    assert np.allclose(found.landmarks[0], POINTS, atol=1e-4)


def test_nothing_comes_of_nothing() -> None:
    found = YoloV8Face(load_catalogue().spec("yolov8-lite-t")).decode(maps(), CANVAS, 0.5)
    assert found.boxes.shape == (0, 4)
    assert found.landmarks is not None
    assert found.landmarks.shape == (0, 5, 2)
