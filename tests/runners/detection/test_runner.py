"""Detection with real weights on the group picture."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from cli.bench.accuracy import open_picture
from cli.bench.accuracy_table import pipeline_with
from facesocial.configuration import CpuSettings
from facesocial.results import Face, Tensor
from models.library import Library
from runners.library import RunnerLibrary, local_builder
from vram_policy import CpuArbiter

pytestmark = pytest.mark.integration

DETECTORS = (
    "yunet_n_dynamic",
    "face_detection_yunet_2023mar",
    "scrfd_500m",
    "yolov8-lite-t",
    "yolov5n-0.5",
    "ultraface_rfb_320",
)
"""Every detector of the mirror but the one the others are compared with; the last gives no landmarks."""


def faces(library: Library, detector: str, content: bytes) -> list[Face]:
    """From left to right."""
    report = pipeline_with(library, detector).detect(open_picture(content), None, 100)
    return sorted((found.face for found in report.faces), key=lambda face: face.box)


def boxes(library: Library, detector: str, content: bytes) -> Tensor:
    """From left to right."""
    return np.array([face.box for face in faces(library, detector, content)], np.float32)


@pytest.mark.parametrize("detector", DETECTORS)
def test_detectors_agree(library: Library, six_faces: Path, detector: str) -> None:
    """Each finds the six faces that SCRFD 2.5g finds, and nothing else (IoU ≥ 0.7; the least is .82)."""
    own, scrfd = (boxes(library, name, six_faces.read_bytes()) for name in (detector, "scrfd_2.5g"))
    assert own.shape == scrfd.shape == (6, 4)
    for a, b in zip(own, scrfd, strict=True):
        inner = np.maximum(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0).prod()
        assert inner / ((a[2:] - a[:2]).prod() + (b[2:] - b[:2]).prod() - inner) >= 0.7


@pytest.mark.parametrize("scale", [0.5, 2.0, 3.4])
def test_boxes_scale_with_the_picture(library: Library, six_faces: Path, scale: float) -> None:
    """The same picture in another size (with reduced decoding above 2 MP): the same boxes, scaled, to 4 % of a face."""
    original = cv2.imread(str(six_faces))
    assert original is not None
    resized = cv2.resize(
        original, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    )
    found = boxes(library, "yunet_n_dynamic", bytes(cv2.imencode(".jpg", resized)[1])) / scale
    assert np.abs(found - boxes(library, "yunet_n_dynamic", six_faces.read_bytes())).max() < 0.08 * 120


@pytest.mark.parametrize("detector", DETECTORS[:-1])
def test_landmarks_lie_as_seen(library: Library, six_faces: Path, detector: str) -> None:
    """Left eye left of the right eye, eyes above the mouth, within an eighth of the face of where SCRFD sees them."""
    own, scrfd = (faces(library, name, six_faces.read_bytes()) for name in (detector, "scrfd_2.5g"))
    for face, other in zip(own, scrfd, strict=True):
        points = face.landmarks
        assert points is not None
        assert other.landmarks is not None
        assert np.linalg.norm(points - other.landmarks, axis=1).mean() < 0.125 * face.width
        assert points[0, 0] < points[1, 0]
        assert points[3, 0] < points[4, 0]
        assert points[:2, 1].max() < points[3:, 1].min()


def test_runner_library_keeps_runners(library: Library) -> None:
    """One runner per capability, so one session."""
    runners = RunnerLibrary(library, local_builder(CpuArbiter(), CpuSettings()))
    assert runners.detector() is runners.detector()
