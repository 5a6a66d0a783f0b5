"""MediaPipe Face Landmarker: 478 points, head pose and blendshapes from one face crop. CPU only, without a lease."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from facesocial.results import Face, Image, Mesh, Pose, Tensor
from models.spec import ModelSpec
from models.store import InstalledModel
from runners.base import Outcome, Views
from runners.crops import SquareCrop

if TYPE_CHECKING:  # importing MediaPipe takes a second and 100 MB, which most processes do without
    from mediapipe.tasks.python import vision

SIDE = 320
"""Pixels of the crop: the network's own input is 256, turned upright."""

FIVE_POINTS: Final = (468, 473, 4, 61, 291)
"""Both irises' centres, tip of the nose, corners of the mouth, in the order of `facesocial.results.Face.landmarks`.

MediaPipe's canonical mesh. These lie nearest to where SCRFD 2.5g sees its points, 1.7–2.6 % of the face's width in the
mean of 84 faces; the middles of the eye corners 2.4–2.7 %, point 1 of the nose 3.3 %.
"""


class FaceLandmarker:
    """The short-range detector inside the bundle wants one large face: it gets a crop, never the whole picture."""

    def __init__(self, spec: ModelSpec) -> None:
        self.spec = spec
        self.crop = SquareCrop(1.7, (SIDE, SIDE))
        self.crops = (self.crop,)

    def place(self, result: Mesh | None, face: Face) -> Mesh | None:
        """Points from fractions of the crop to pixels of the picture; z by the same scale."""
        if result is None:
            return None
        left, top, right, _ = self.crop.rectangle(face)
        points = result.points * np.float32(right - left) + np.array([left, top, 0], np.float32)
        return Mesh(points, result.pose, result.blendshapes)


class MeshRunner:
    """The mesh of each face, or None where MediaPipe finds none in the crop. The graph is made on first use."""

    def __init__(self, adapter: FaceLandmarker, installed: InstalledModel) -> None:
        self.adapter = adapter
        self.tag = installed.tag
        self._installed = installed
        self._task: vision.FaceLandmarker | None = None
        self._lock = threading.Lock()

    def run(self, faces: Sequence[Views]) -> Outcome[Mesh | None]:
        """One by one: MediaPipe has no batch."""
        return Outcome(tuple(self._look(crop) for (crop,) in faces), "cpu" if faces else "")

    def _look(self, crop: Image) -> Mesh | None:
        import mediapipe

        picture = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=cv2.cvtColor(crop, cv2.COLOR_BGR2RGB))
        with self._lock:
            self._task = self._task or self._open()
            found = self._task.detect(picture)
        if not found.face_landmarks:
            return None
        points = np.array([[point.x, point.y, point.z] for point in found.face_landmarks[0]], np.float32)
        blendshapes = {shape.category_name: float(shape.score) for shape in found.face_blendshapes[0]}
        return Mesh(points, head_pose(np.asarray(found.facial_transformation_matrixes[0], np.float32)), blendshapes)

    def retire(self) -> None:
        """Free the graph; the end of the process does it too."""
        with self._lock:
            task, self._task = self._task, None
        if task:
            task.close()

    def _open(self) -> vision.FaceLandmarker:
        from mediapipe.tasks.python import BaseOptions, vision

        task = vision.FaceLandmarker.create_from_options(
            vision.FaceLandmarkerOptions(
                base_options=BaseOptions(model_asset_buffer=self._installed.read()),
                output_face_blendshapes=True,
                output_facial_transformation_matrixes=True,
            )
        )
        # Left to the interpreter's end, MediaPipe's own threads can keep the process from ending.
        weakref.finalize(self, task.close)
        return task


def five_points(mesh: Mesh) -> Tensor:
    """float32 [5, 2], pixels of the picture: what a detector without landmarks lacks, read off a placed mesh."""
    return mesh.points[FIVE_POINTS, :2]


def head_pose(transform: Tensor) -> Pose:
    """Angles from MediaPipe's 4×4 canonical-face-to-camera matrix: x right, y up, z to the viewer, R = Ry·Rx·Rz."""
    rotation = transform[:3, :3] / np.linalg.norm(transform[:3, :3], axis=0)
    yaw = np.arctan2(rotation[0, 2], rotation[2, 2])
    pitch = np.arcsin(np.clip(-rotation[1, 2], -1, 1))
    roll = np.arctan2(rotation[1, 0], rotation[1, 1])
    return Pose(*(float(np.degrees(angle)) for angle in (yaw, pitch, -roll)))
