"""YOLOv10: no weights are at hand, so a generated graph of the same signature goes through the real runner."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from onnx import helper

from cli.bench.accuracy import open_picture
from facesocial.results import Face
from models.catalogue import load_catalogue
from runners.core import LeasedCore
from runners.detection.base import DetectionRunner
from runners.detection.yolov10_face import YoloV10Face
from tests.runners.conftest import Generate
from vram_policy import CpuArbiter

NAN = float("nan")
ROWS = ((100, 50, 200, 150, 0.9, 0), (104, 52, 204, 152, 0.6, 0), (9, 9, 9, 9, 0.7, 0), (NAN, 0, 5, 5, 0.8, 0))
"""A face, another that overlaps it by 89 %, a box without area, and one that is no number."""


@pytest.mark.unit
def test_rows_above_the_score_are_read() -> None:
    rows = np.zeros((1, 300, 6), np.float32)
    rows[0, :2] = ROWS[:2]
    found = YoloV10Face(load_catalogue().spec("yolov10n_face")).decode({"output0": rows}, (640, 640), 0.65)
    assert found.scores.tolist() == pytest.approx([0.9])
    assert found.boxes.tolist() == [[100, 50, 200, 150]]
    assert found.landmarks is None


@pytest.fixture
def runner(generate: Generate) -> DetectionRunner:
    """`images` [1, 3, 640, 640] → `output0` [1, 300, 6]: ROWS, scores times the red of the first pixel."""
    rows, mask = np.zeros((1, 300, 6), np.float32), np.zeros((1, 300, 6), np.float32)
    rows[0, : len(ROWS)], mask[..., 4] = ROWS, 1
    model = generate(
        "yolov10n_face",
        ("images", [1, 3, 640, 640]),
        ("output0", [1, 300, 6]),
        [
            helper.make_node("Slice", ["images", "from", "to"], ["red"]),
            helper.make_node("Squeeze", ["red"], ["scalar"]),
            helper.make_node("Mul", ["mask", "scalar"], ["scaled"]),
            helper.make_node("Add", ["scaled", "rest"], ["gain"]),
            helper.make_node("Mul", ["rows", "gain"], ["output0"]),
        ],
        {"from": np.zeros(4, np.int64), "to": np.ones(4, np.int64), "rows": rows, "mask": mask, "rest": 1 - mask},
    )
    return DetectionRunner(YoloV10Face(model.installed.spec), model.tag, LeasedCore(model, CpuArbiter()))


@pytest.mark.integration
def test_a_graph_of_its_signature_runs(runner: DetectionRunner) -> None:
    """RGB/255 reaches it; boxes come back in pixels of a picture twice the canvas, best first, doubles and all."""
    picture = np.zeros((1280, 1280, 3), np.uint8)
    picture[..., 2] = 255
    first, second = _run(runner, picture)
    assert [first.box, second.box] == [(200, 100, 400, 300), (208, 104, 408, 304)]
    assert [first.score, second.score] == pytest.approx([0.9, 0.6])
    assert first.landmarks is None
    assert len(_run(runner, picture, max_faces=1)) == 1
    assert _run(runner, np.zeros_like(picture)) == ()


def _run(runner: DetectionRunner, picture: np.ndarray, max_faces: int = 100) -> tuple[Face, ...]:
    return runner.run(open_picture(bytes(cv2.imencode(".png", picture)[1])), 0.45, max_faces).results
