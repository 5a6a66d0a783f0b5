"""SFace's weights are not at hand: a generated graph of its signature, and OpenCV's `FaceRecognizerSF` to compare."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from onnx import helper

from cli.bench.accuracy import open_picture
from cli.bench.accuracy_table import pipeline_with
from models.library import Library
from runners.base import FaceRunner
from runners.core import LeasedCore
from runners.crops import AlignedCrop
from runners.recognition.arcface import ArcFace
from tests.runners.conftest import Generate
from vram_policy import CpuArbiter

pytestmark = pytest.mark.integration

SIDE = 112


def test_arcface_reads_sface_as_opencv_does(generate: Generate, library: Library, six_faces: Path) -> None:
    """Of the same faces the same vectors: alignment, colour order and normalisation are OpenCV's."""
    weights = np.random.default_rng(0).normal(0, 1, (3 * 14 * 14, 128)).astype(np.float32)
    model = generate(
        "sface",
        ("data", [1, 3, SIDE, SIDE]),
        ("fc1", [1, 128]),
        [
            helper.make_node("Sub", ["data", "grey"], ["centred"]),
            helper.make_node("AveragePool", ["centred"], ["small"], kernel_shape=[8, 8], strides=[8, 8]),
            helper.make_node("Flatten", ["small"], ["flat"]),
            helper.make_node("MatMul", ["flat", "weights"], ["fc1"]),
        ],
        {"grey": np.full((1, 3, 1, 1), 100, np.float32), "weights": weights},
    )
    picture = cv2.imread(str(six_faces))
    assert picture is not None
    opencv = cv2.FaceRecognizerSF.create(str(model.installed.path), "")
    runner = FaceRunner(ArcFace(model.installed.spec), model.tag, LeasedCore(model, CpuArbiter()), 16)
    source = open_picture(bytes(cv2.imencode(".png", picture)[1]))
    for found in pipeline_with(library, "yunet_n_dynamic").detect(source, None, 100).faces:
        face = found.face
        assert face.landmarks is not None
        row = np.array([[*face.box, *face.landmarks.reshape(-1), face.score]], np.float32)
        expected = opencv.feature(opencv.alignCrop(picture, row))[0]
        crop = AlignedCrop().cut(source, face)
        assert crop is not None
        (ours,) = runner.run([(crop,)]).results
        assert float(ours.vector @ expected) / np.linalg.norm(expected) > 0.999
