"""MediaPipe's mesh on face crops."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from bentos.composition import Parts
from cli.bench.accuracy import open_picture
from cli.bench.accuracy_table import pipeline_with
from facesocial.capabilities import Task
from facesocial.results import Face, Mesh
from models.library import Library
from runners.mesh.face_landmarker import five_points, head_pose
from services.pipeline.pipeline import Pipeline
from services.pipeline.report import FaceReport, Report


def meshes(pipeline: Pipeline, content: bytes) -> list[tuple[Face, Mesh]]:
    """From left to right."""
    report = pipeline.analyze(open_picture(content), [Task.MESH])
    return [(face.face, face.results[Task.MESH]) for face in sorted(report.faces, key=lambda face: face.face.box)]


@pytest.mark.integration
def test_points_lie_on_the_face(library: Library, six_faces: Path) -> None:
    """478 points, eyes and mouth where SCRFD sees them, within 5 % of the face (YuNet's drift on tilted heads)."""
    for face, mesh in meshes(pipeline_with(library, "scrfd_2.5g"), six_faces.read_bytes()):
        assert mesh.points.shape == (478, 3)
        assert len(mesh.blendshapes) == 52
        assert all(0 <= value <= 1 for value in mesh.blendshapes.values())
        assert face.landmarks is not None
        # MediaPipe's canonical indices: eye corners 33/133 and 362/263, mouth corners 61 and 291.
        eyes = [(mesh.points[a, :2] + mesh.points[b, :2]) / 2 for a, b in ((33, 133), (362, 263))]
        seen = np.array([*eyes, mesh.points[61, :2], mesh.points[291, :2]])
        assert np.linalg.norm(seen - face.landmarks[[0, 1, 3, 4]], axis=1).mean() < 0.05 * face.height


@pytest.mark.integration
def test_five_points_stand_in_for_a_detectors(library: Library, six_faces: Path) -> None:
    """In the detector's order, each within 8 % of the face of where SCRFD sees it, 4 % in the mean."""
    for face, mesh in meshes(pipeline_with(library, "scrfd_2.5g"), six_faces.read_bytes()):
        assert face.landmarks is not None
        away = np.linalg.norm(five_points(mesh) - face.landmarks, axis=1) / face.width
        assert away.max() < 0.08
        assert away.mean() < 0.04


@pytest.mark.integration
def test_a_mirrored_picture_mirrors_yaw_and_roll(parts: Parts, six_faces: Path) -> None:
    """Yaw and roll change sign, pitch does not."""
    picture = cv2.imread(str(six_faces))
    assert picture is not None
    straight = meshes(parts.pipeline, six_faces.read_bytes())
    mirrored = meshes(parts.pipeline, bytes(cv2.imencode(".png", cv2.flip(picture, 1))[1]))[::-1]
    for (_, a), (_, b) in zip(straight, mirrored, strict=True):
        assert a.pose.yaw == pytest.approx(-b.pose.yaw, abs=8)
        assert a.pose.roll == pytest.approx(-b.pose.roll, abs=8)
        assert a.pose.pitch == pytest.approx(b.pose.pitch, abs=8)


@pytest.mark.integration
def test_no_face_in_the_crop_is_none(parts: Parts) -> None:
    """A box on a grey wall: no mesh, no error."""
    content = bytes(cv2.imencode(".png", np.full((300, 300, 3), 128, np.uint8))[1])
    found = Report(300, 300, (FaceReport(Face((50, 50, 250, 250), 1.0, None)),), {}, {}, {})
    assert parts.pipeline.describe(open_picture(content), found, [Task.MESH]).faces[0].results[Task.MESH] is None


@pytest.mark.unit
@pytest.mark.parametrize(("yaw", "pitch", "roll"), [(30, 0, 0), (0, 20, 0), (0, 0, -15), (-25, 10, 5), (60, -30, 20)])
def test_head_pose_of_a_known_rotation(yaw: float, pitch: float, roll: float) -> None:
    """R = Ry(yaw) · Rx(pitch) · Rz(−roll), scaled, gives its angles back; yaw > 0 points right in the picture."""
    y, x, z = np.radians([yaw, pitch, -roll])
    about_y = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(x), -np.sin(x)], [0, np.sin(x), np.cos(x)]])
    about_z = np.array([[np.cos(z), -np.sin(z), 0], [np.sin(z), np.cos(z), 0], [0, 0, 1]])
    transform = np.eye(4, dtype=np.float32)
    transform[:3, :3] = 3 * about_y @ about_x @ about_z
    pose = head_pose(transform)
    assert (pose.yaw, pose.pitch, pose.roll) == pytest.approx((yaw, pitch, roll), abs=0.01)
    assert np.sign(transform[0, 2]) == np.sign(yaw)
