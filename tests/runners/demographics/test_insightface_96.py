"""genderage's weights are not at hand: a generated graph of its signature, with InsightFace's own code to compare."""

from __future__ import annotations

import types
from pathlib import Path

import cv2
import numpy as np
import pytest
from onnx import helper

from cli.bench.accuracy import open_picture
from facesocial.results import Face
from models.catalogue import load_catalogue
from runners.base import FaceRunner
from runners.core import LeasedCore
from runners.demographics.insightface_96 import InsightFace96
from tests.runners.conftest import Generate
from vram_policy import CpuArbiter


@pytest.mark.unit
def test_the_three_numbers() -> None:
    """Logits of female and male, age in centuries; nobody is older than 120."""
    rows = np.array([[np.log(4), 0, 0.27], [0, 0.1, 1.5]], np.float32)
    woman, man = InsightFace96(load_catalogue().spec("genderage")).post({"fc1": rows})
    assert [one.gender for one in (woman, man)] == ["female", "male"]
    assert [woman.age, woman.gender_score, man.age] == pytest.approx([27, 0.8, 120])


@pytest.mark.integration
def test_insightface_sees_the_same(generate: Generate, six_faces: Path) -> None:
    """The graph gives the crop's mean red, green, blue: InsightFace's `Attribute` gets the same age and gender."""
    attribute = pytest.importorskip("insightface.model_zoo.attribute")
    model = generate(
        "genderage",
        ("data", ["n", 3, 96, 96]),
        ("fc1", ["n", 3]),
        [
            helper.make_node("Sub", ["data", "nought"], ["Sub0"], name="Sub0"),  # InsightFace looks for Sub and Mul
            helper.make_node("Mul", ["Sub0", "gain"], ["Mul0"], name="Mul0"),
            helper.make_node("GlobalAveragePool", ["Mul0"], ["mean"]),
            helper.make_node("Flatten", ["mean"], ["fc1"]),
        ],
        {"nought": np.zeros(1, np.float32), "gain": np.array([[[[0.1]], [[0.1]], [[0.01]]]], np.float32)},
    )
    picture = cv2.imread(str(six_faces))
    assert picture is not None
    theirs = attribute.Attribute(str(model.installed.path))
    runner = FaceRunner(InsightFace96(model.installed.spec), model.tag, LeasedCore(model, CpuArbiter()), 16)
    source = open_picture(bytes(cv2.imencode(".png", picture)[1]))
    boxes = [(400.0, 200.0, 500.0, 330.0), (20.0, 30.0, 90.0, 120.0), (1100.0, 700.0, 1270.0, 880.0)]
    crops = [runner.adapter.crops[0].cut(source, Face(box, 1.0, None)) for box in boxes]
    results = runner.run([(crop,) for crop in crops if crop is not None]).results
    for box, ours in zip(boxes, results, strict=True):
        face = _Face(bbox=np.array(box, np.float32))
        gender, age = theirs.get(picture, face)
        assert ours.age == pytest.approx(min(age, 120), abs=1)
        assert (ours.gender == "male") == (gender == 1)


class _Face(types.SimpleNamespace):
    def __setitem__(self, name: str, value: object) -> None:
        setattr(self, name, value)
