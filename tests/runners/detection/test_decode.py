"""YuNet and SCRFD read their own outputs: one face written into the maps by hand comes back where it was put."""

from __future__ import annotations

import numpy as np
import pytest

from models.catalogue import load_catalogue
from runners.detection.scrfd import Scrfd
from runners.detection.yunet import YuNet

pytestmark = pytest.mark.unit

CANVAS = (640, 480)
POINTS = np.array([[100, 60], [130, 60], [115, 80], [103, 95], [128, 95]], np.float32)


def cells(stride: int) -> int:
    """Cells of a map."""
    return (CANVAS[0] // stride) * (CANVAS[1] // stride)


def test_yunet_reads_a_face() -> None:
    """Column 7, row 5 of stride 16: centre, size, landmarks, score."""
    outputs = {}
    for stride in (8, 16, 32):
        for name, width in (("cls", 1), ("obj", 1), ("bbox", 4), ("kps", 10)):
            outputs[f"{name}_{stride}"] = np.zeros((1, cells(stride), width), np.float32)
    index = 5 * (CANVAS[0] // 16) + 7
    outputs["cls_16"][0, index], outputs["obj_16"][0, index] = 0.81, 1.0
    outputs["bbox_16"][0, index] = [0.25, -0.5, np.log(4), np.log(5)]
    outputs["kps_16"][0, index] = (POINTS / 16 - [7, 5]).reshape(-1)
    found = YuNet(load_catalogue().spec("yunet_n_dynamic")).decode(outputs, CANVAS, 0.5)
    assert found.scores.tolist() == pytest.approx([0.9])
    assert found.boxes[0].tolist() == pytest.approx([116 - 32, 72 - 40, 116 + 32, 72 + 40])
    assert found.landmarks is not None
    assert np.allclose(found.landmarks[0], POINTS)


def test_scrfd_reads_a_face() -> None:
    """Second anchor of column 3, row 2 of stride 32."""
    outputs = {}
    for kind, width in (("score", 1), ("box", 4), ("points", 10)):
        for stride in (8, 16, 32):
            outputs[f"{kind}{stride}"] = np.zeros((cells(stride) * 2, width), np.float32)
    index = (2 * (CANVAS[0] // 32) + 3) * 2 + 1
    outputs["score32"][index] = 0.7
    outputs["box32"][index] = [1, 0.5, 2, 1.5]
    outputs["points32"][index] = ((POINTS - [96, 64]) / 32).reshape(-1)
    found = Scrfd(load_catalogue().spec("scrfd_500m")).decode(outputs, CANVAS, 0.5)
    assert found.scores.tolist() == pytest.approx([0.7])
    assert found.boxes[0].tolist() == pytest.approx([96 - 32, 64 - 16, 96 + 64, 64 + 48])
    assert found.landmarks is not None
    assert np.allclose(found.landmarks[0], POINTS)
