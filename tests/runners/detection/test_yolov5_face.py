"""YOLOv5-face: one face written into the maps by hand comes back where it was put."""

from __future__ import annotations

import numpy as np
import pytest

from models.catalogue import load_catalogue
from runners.detection.base import Candidates
from runners.detection.yolov5_face import YoloV5Face

pytestmark = pytest.mark.unit

CANVAS = (640, 480)
POINTS = np.array([[100, 60], [130, 60], [115, 80], [103, 95], [128, 95]], np.float32)


def logit(chance: float) -> float:
    """Inverse of the sigmoid."""
    return float(np.log(chance / (1 - chance)))


def maps() -> dict[str, np.ndarray]:
    """No face anywhere: the objectness is e⁻⁹."""
    outputs = {f"stride_{s}": np.zeros((1, 3, CANVAS[1] // s, CANVAS[0] // s, 16), np.float32) for s in (8, 16, 32)}
    for output in outputs.values():
        output[..., 4] = -9
    return outputs


def decode(outputs: dict[str, np.ndarray], min_score: float = 0.5) -> Candidates:
    """With the catalogue's entry."""
    return YoloV5Face(load_catalogue().spec("yolov5n-0.5")).decode(outputs, CANVAS, min_score)


def test_a_face_comes_back_from_raw_maps() -> None:
    """Second anchor (43 × 55) of column 7, row 5 of stride 16; score = objectness · class."""
    outputs = maps()
    cell = outputs["stride_16"][0, 1, 5, 7]
    cell[:4] = [logit(0.5), logit(0.75), logit(0.5), logit(0.25)]  # 2σ − ½ = ½, 1; (2σ)² = 1, ¼
    cell[4], cell[15] = logit(0.9), logit(0.8)
    cell[5:15] = ((POINTS - [7 * 16, 5 * 16]) / [43, 55]).reshape(-1)

    found = decode(outputs)

    assert found.scores.tolist() == pytest.approx([0.72])
    assert found.boxes[0].tolist() == pytest.approx([120 - 43 / 2, 96 - 55 / 8, 120 + 43 / 2, 96 + 55 / 8])
    assert found.landmarks is not None
    assert np.allclose(found.landmarks[0], POINTS, atol=1e-4)


def test_objectness_alone_does_not_make_a_face() -> None:
    outputs = maps()
    outputs["stride_8"][0, 0, 3, 3, [4, 15]] = [logit(0.9), logit(0.5)]
    assert len(decode(outputs).boxes) == 0


def test_a_face_comes_back_from_an_export_that_decodes() -> None:
    """One output [1, n, 16] in pixels and probabilities, as yakhyo's exports give it."""
    rows = np.zeros((1, 25200, 16), np.float32)
    rows[0, 77] = [200, 100, 40, 60, 0.9, *POINTS.reshape(-1), 0.8]
    found = decode({"output": rows})
    assert found.scores.tolist() == pytest.approx([0.72])
    assert found.boxes.tolist() == [[180, 70, 220, 130]]
    assert found.landmarks is not None
    assert np.allclose(found.landmarks[0], POINTS)
