"""Report → JSON: each field of api.md, null with its reason, nothing that was not asked."""

from __future__ import annotations

import json

import numpy as np
import pytest

from facesocial.capabilities import Capability, Task
from facesocial.results import Deepfake, Demographics, Embedding, Face, Liveness, Mesh, Pose
from services.answers import AnalyzeAnswer, DetectAnswer, DetectedFace, analyzed, common, detected
from services.pipeline.report import FaceReport, Report

pytestmark = pytest.mark.unit

FACE = Face((1.0, 2.0, 3.5, 4.0), 0.75, np.arange(10, dtype=np.float32).reshape(5, 2))
RESULTS = {
    Task.EMBED: Embedding("arcface/1", np.array([0.6, 0.8], np.float32)),
    Task.LIVENESS: Liveness(True, 0.9, 0.5),
    Task.DEEPFAKE: Deepfake(False, 0.1, 0.5),
    Task.DEMOGRAPHICS: Demographics(33.5, "female", 0.8),
    Task.MESH: Mesh(np.zeros((478, 3), np.float32), Pose(1.0, 2.0, 3.0), {"jawOpen": 0.5}),
}


def as_json(report: FaceReport, *tasks: Task) -> dict[str, object]:
    fields: dict[str, object] = json.loads(analyzed(report, tasks).model_dump_json(exclude_unset=True))
    return fields


def test_every_result_has_the_shape_of_the_contract() -> None:
    face = as_json(FaceReport(FACE, dict(RESULTS)), *Task)
    assert face == {
        "box": [1.0, 2.0, 3.5, 4.0],
        "score": 0.75,
        "landmarks": [[0, 1], [2, 3], [4, 5], [6, 7], [8, 9]],
        "embedding": {"contract": "arcface/1", "vector": pytest.approx([0.6, 0.8])},
        "liveness": {"live": True, "score": 0.9, "threshold": 0.5},
        "deepfake": {"fake": False, "score": 0.1, "threshold": 0.5},
        "age": 33.5,
        "gender": {"label": "female", "score": 0.8},
        "mesh": {
            "points": [[0, 0, 0]] * 478,
            "pose": {"yaw": 1, "pitch": 2, "roll": 3},
            "blendshapes": {"jawOpen": 0.5},
        },
    }


@pytest.mark.parametrize("task", Task)
def test_a_result_that_could_not_be_had_is_null_with_a_reason(task: Task) -> None:
    face = as_json(FaceReport(FACE, {task: None}, {task: "no_landmarks"}), task)
    extra = {name: value for name, value in face.items() if name not in ("box", "score", "landmarks")}
    assert extra.pop("reasons") == {task.value: "no_landmarks"}
    assert extra.pop("reason", "no_landmarks") == "no_landmarks"
    assert ("reason" in face) == (task is Task.EMBED)
    assert extra
    assert not any(extra.values())


def test_a_detector_without_landmarks_says_null() -> None:
    assert DetectedFace(**detected(Face((0, 0, 1, 1), 0.5, None))).landmarks is None


def test_the_envelope() -> None:
    devices = {Capability.DETECTION: "cpu", Capability.RECOGNITION: "cuda:0"}
    report = Report(640, 480, (), {"face-detection": "a:1"}, devices, {"decode": 0.0123456})
    fields = common(report, "an-id", {"face-detection": "caveat", "face-mesh": "unasked"}, 0.5)
    answer = json.loads(DetectAnswer(**fields, faces=[]).model_dump_json(exclude_unset=True))
    assert answer == {
        "request_id": "an-id",
        "image": {"width": 640, "height": 480},
        "models": {"face-detection": "a:1"},
        "device": {"detection": "cpu", "recognition": "cuda:0"},
        "timing_ms": {"upload": 500, "decode": 12.35},
        "cached": False,
        "caveats": {"face-detection": "caveat"},
        "faces": [],
    }
    assert AnalyzeAnswer(**fields, faces=[]).faces == []
