"""Detection with real weights on the group picture."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from cli.bench.accuracy import open_picture
from cli.bench.accuracy_table import pipeline_with
from facesocial.configuration import CpuSettings
from facesocial.results import Tensor
from models.catalogue import load_catalogue
from models.library import Library
from models.pull import Installer
from runners.library import RunnerLibrary, local_builder
from vram_policy import CpuArbiter

pytestmark = pytest.mark.integration


def boxes(library: Library, detector: str, content: bytes) -> Tensor:
    """From left to right."""
    report = pipeline_with(library, detector).detect(open_picture(content), None, 100)
    return np.array(sorted(found.face.box for found in report.faces), np.float32)


def test_detectors_agree(library: Library, six_faces: Path) -> None:
    """YuNet and SCRFD find the same six faces (IoU ≥ 0.7)."""
    yunet, scrfd = (boxes(library, name, six_faces.read_bytes()) for name in ("yunet_n_dynamic", "scrfd_2.5g"))
    assert yunet.shape == scrfd.shape == (6, 4)
    for a, b in zip(yunet, scrfd, strict=True):
        inner = np.maximum(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0).prod()
        assert inner / ((a[2:] - a[:2]).prod() + (b[2:] - b[:2]).prod() - inner) >= 0.7


def test_a_network_with_a_fixed_canvas(library: Library, six_faces: Path) -> None:
    """The 640×640 YuNet of opencv_zoo gets its own size, whatever the picture."""
    Installer(library).pull([load_catalogue().spec("face_detection_yunet_2023mar")])
    assert len(boxes(library, "face_detection_yunet_2023mar", six_faces.read_bytes())) == 6


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


def test_landmarks_lie_as_seen(library: Library, six_faces: Path) -> None:
    """Left eye left of the right eye, eyes above the mouth, all inside the box."""
    report = pipeline_with(library, "yunet_n_dynamic").detect(open_picture(six_faces.read_bytes()), None, 100)
    for found in report.faces:
        points = found.face.landmarks
        assert points is not None
        assert points[0, 0] < points[1, 0]
        assert points[3, 0] < points[4, 0]
        assert points[:2, 1].max() < points[3:, 1].min()


def test_runner_library_keeps_runners(library: Library) -> None:
    """One runner per capability, so one session."""
    runners = RunnerLibrary(library, local_builder(CpuArbiter(), CpuSettings()))
    assert runners.detector() is runners.detector()
