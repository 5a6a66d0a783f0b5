"""The dataclasses have the fields of the answers and read them; what is new is left aside, what is wrong refused."""

from __future__ import annotations

import copy
import dataclasses
import json
from typing import Any

import numpy as np
import pytest
from pydantic import BaseModel

import facesocial_client as client
from facesocial import results
from facesocial.capabilities import Task
from facesocial_client.decoding import Mismatch, read
from services import answers
from services.pipeline.report import FaceReport

pytestmark = pytest.mark.unit

TWINS: list[tuple[type[BaseModel], type]] = [
    (answers.ImageSize, client.ImageSize),
    (answers.EmbeddingAnswer, client.Embedding),
    (answers.LivenessAnswer, client.Liveness),
    (answers.DeepfakeAnswer, client.Deepfake),
    (answers.GenderAnswer, client.Gender),
    (answers.PoseAnswer, client.Pose),
    (answers.MeshAnswer, client.Mesh),
    (answers.DetectedFace, client.Face),
    (answers.AnalyzedFace, client.AnalyzedFace),
    (answers.DetectAnswer, client.Detection),
    (answers.AnalyzeAnswer, client.Analysis),
    (answers.VerifyAnswer, client.Verification),
]

FACE = results.Face((1.0, 2.0, 3.5, 4.0), 0.75, np.arange(10, dtype=np.float32).reshape(5, 2))
RESULTS = {
    Task.EMBED: results.Embedding("arcface/1", np.array([0.6, 0.8], np.float32)),
    Task.LIVENESS: results.Liveness(True, 0.9, 0.5),
    Task.DEEPFAKE: results.Deepfake(False, 0.1, 0.5),
    Task.DEMOGRAPHICS: results.Demographics(33.5, "female", 0.8),
    Task.MESH: results.Mesh(np.zeros((478, 3), np.float32), results.Pose(1.0, 2.0, 3.0), {"jawOpen": 0.5}),
}


def as_json(model: BaseModel) -> dict[str, Any]:
    """As it goes over the wire."""
    fields: dict[str, Any] = json.loads(model.model_dump_json(exclude_unset=True))
    return fields


FULL = as_json(answers.analyzed(FaceReport(FACE, dict(RESULTS)), tuple(Task)))


@pytest.mark.parametrize(("theirs", "ours"), TWINS, ids=lambda kind: kind.__name__)
def test_the_fields_are_those_of_the_service(theirs: type[BaseModel], ours: Any) -> None:
    assert theirs.model_fields.keys() == {field.name for field in dataclasses.fields(ours)}
    assert "__slots__" in vars(ours)
    assert ours.__dataclass_params__.frozen


def test_a_face_with_everything() -> None:
    face = read(client.AnalyzedFace, FULL)
    assert list(face.landmarks or ()) == [(0, 1), (2, 3), (4, 5), (6, 7), (8, 9)]
    assert face.embedding
    assert face.embedding.vector == pytest.approx((0.6, 0.8))
    assert face.liveness == client.Liveness(True, 0.9, 0.5)
    assert face.deepfake == client.Deepfake(False, 0.1, 0.5)
    assert (face.age, face.gender) == (33.5, client.Gender("female", 0.8))
    assert face.mesh == client.Mesh(((0, 0, 0),) * 478, client.Pose(1, 2, 3), {"jawOpen": 0.5})
    with pytest.raises(dataclasses.FrozenInstanceError):
        face.age = 3.0  # type: ignore[misc]


def test_a_face_with_nothing() -> None:
    bare = dataclasses.replace(FACE, landmarks=None)
    report = FaceReport(bare, dict.fromkeys(RESULTS), dict.fromkeys(RESULTS, "no_landmarks"))
    face = read(client.AnalyzedFace, as_json(answers.analyzed(report, tuple(RESULTS))))
    assert (face.landmarks, face.embedding, face.age, face.mesh) == (None, None, None, None)
    assert face.reasons == {task.value: "no_landmarks" for task in Task}
    assert face.reason == "no_landmarks"


def test_what_is_new_is_left_aside() -> None:
    newer = copy.deepcopy(FULL) | {"smile": {"score": 1}}
    newer["gender"]["calibrated"] = True
    newer["mesh"]["pose"]["unit"] = "degrees"
    assert read(client.AnalyzedFace, newer) == read(client.AnalyzedFace, FULL)


@pytest.mark.parametrize(
    ("field", "value", "where"),
    [
        ("box", [1, 2, 3], "answer.box: 4 items expected"),
        ("box", None, "answer.box: a list expected"),
        ("score", True, "answer.score: a number expected"),
        ("score", "0.5", "answer.score: a number expected"),
        ("score", float("nan"), "answer.score: a number expected"),
        ("landmarks", [[0, 1]] * 4, "answer.landmarks: 5 items expected"),
        ("landmarks", [[0, 1]] * 4 + [[0, None]], "answer.landmarks[4][1]: a number expected"),
        ("embedding", {"contract": "c"}, "answer.embedding.vector is missing"),
        ("embedding", {"contract": 1, "vector": []}, "answer.embedding.contract: a str expected"),
        ("liveness", {"live": 1, "score": 1, "threshold": 1}, "answer.liveness.live: a bool expected"),
        ("gender", {"label": "no", "score": 1}, "answer.gender.label: one of female, male expected"),
        ("gender", {"label": [], "score": 1}, "answer.gender.label: one of female, male expected"),
        ("reasons", {"secret": 1}, "answer.reasons[…]: a str expected"),
        ("mesh", [], "answer.mesh: a dict expected"),
    ],
)
def test_what_is_of_another_type_is_refused(field: str, value: object, where: str) -> None:
    with pytest.raises(Mismatch) as caught:
        read(client.AnalyzedFace, FULL | {field: value})
    assert str(caught.value) == where


@pytest.mark.parametrize("field", ["box", "score", "landmarks"])
def test_what_is_missing_is_refused(field: str) -> None:
    with pytest.raises(Mismatch, match=rf"^answer\.{field} is missing$"):
        read(client.AnalyzedFace, {name: value for name, value in FULL.items() if name != field})


@pytest.mark.parametrize("width", [True, 1.5, "64", None])
def test_a_size_is_a_whole_number(width: object) -> None:
    with pytest.raises(Mismatch, match=r"^answer\.width: an? int expected$"):
        read(client.ImageSize, {"width": width, "height": 48})
