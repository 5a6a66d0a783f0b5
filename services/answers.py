"""The JSON of the inference routes (`api.md`), and how a report becomes it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from facesocial.capabilities import Task
from facesocial.results import Deepfake, Demographics, Embedding, Face, Liveness, Mesh
from services.pipeline.report import FaceReport, Report


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True)


class ImageSize(_Answer):
    """Pixels of the upright image."""

    width: int
    height: int


class EmbeddingAnswer(_Answer):
    """An L2-normalised vector; vectors of different contracts must not be compared."""

    contract: str
    vector: list[float]


class LivenessAnswer(_Answer):
    """`score` = P(live)."""

    live: bool
    score: float
    threshold: float


class DeepfakeAnswer(_Answer):
    """`score` = P(fake)."""

    fake: bool
    score: float
    threshold: float


class GenderAnswer(_Answer):
    """`score` is the probability of the label."""

    label: Literal["female", "male"]
    score: float


class PoseAnswer(_Answer):
    """Degrees."""

    yaw: float
    pitch: float
    roll: float


class MeshAnswer(_Answer):
    """478 points [x, y, z] in pixels of the upright image, head pose, 52 blendshapes."""

    points: list[list[float]]
    pose: PoseAnswer
    blendshapes: dict[str, float]


class DetectedFace(_Answer):
    """`box` [x1, y1, x2, y2] and five `landmarks` [x, y] in pixels of the upright image."""

    box: list[float]
    score: float
    landmarks: list[list[float]] | None


class AnalyzedFace(DetectedFace):
    """A face with the results of the tasks asked for; one that could not be had is null, its task is in `reasons`."""

    embedding: EmbeddingAnswer | None = None
    liveness: LivenessAnswer | None = None
    deepfake: DeepfakeAnswer | None = None
    age: float | None = None
    gender: GenderAnswer | None = None
    mesh: MeshAnswer | None = None
    reason: str | None = Field(default=None, description="why the embedding is null")
    reasons: dict[str, str] | None = Field(default=None, description="task → why its result is null")


class Answer(_Answer):
    """What every answer carries."""

    request_id: str
    image: ImageSize
    models: dict[str, str] = Field(description="alias → tag of the model that answered")
    device: dict[str, str] = Field(description="capability → cpu, cuda:N or simulated:N")
    timing_ms: dict[str, float]
    cached: bool = False
    caveats: dict[str, str] = Field(default_factory=dict, description="alias → what its model is bad at")


class DetectAnswer(Answer):
    """Faces by falling score."""

    faces: list[DetectedFace]


class AnalyzeAnswer(Answer):
    """Faces by falling score, each with the results of the tasks."""

    faces: list[AnalyzedFace]


class VerifyAnswer(Answer):
    """Whether the largest faces of two images are the same person's; `image` is the first image's size."""

    similarity: float | None = Field(description="cosine, or null when a face is missing")
    threshold: float
    same: bool | None
    box_a: list[float] | None
    box_b: list[float] | None
    live_a: bool | None = None
    live_b: bool | None = None


def common(report: Report, request_id: str, caveats: dict[str, str], upload_seconds: float) -> dict[str, Any]:
    """The fields of `Answer`."""
    seconds = {"upload": upload_seconds, **report.seconds}
    return {
        "request_id": request_id,
        "image": ImageSize(width=report.width, height=report.height),
        "models": report.models,
        "device": {capability.value: device for capability, device in report.devices.items()},
        "timing_ms": {stage: round(spent * 1000, 2) for stage, spent in seconds.items()},
        "cached": False,
        "caveats": {alias: text for alias, text in caveats.items() if alias in report.models},
    }


def detected(face: Face) -> dict[str, Any]:
    """The fields of `DetectedFace`."""
    landmarks = None if face.landmarks is None else face.landmarks.tolist()
    return {"box": list(face.box), "score": face.score, "landmarks": landmarks}


def analyzed(report: FaceReport, tasks: Sequence[Task]) -> AnalyzedFace:
    """A face with the fields of `tasks` set, and no others."""
    fields = detected(report.face)
    for task in tasks:
        fields |= _FIELDS[task](report.results[task])
    if report.reasons:
        fields["reasons"] = {task.value: reason for task, reason in report.reasons.items()}
    if Task.EMBED in report.reasons:
        fields["reason"] = report.reasons[Task.EMBED]
    return AnalyzedFace(**fields)


def _embedding(result: Embedding | None) -> dict[str, Any]:
    return {"embedding": result and EmbeddingAnswer(contract=result.contract, vector=result.vector.tolist())}


def _liveness(result: Liveness | None) -> dict[str, Any]:
    return {"liveness": result and LivenessAnswer(live=result.live, score=result.score, threshold=result.threshold)}


def _deepfake(result: Deepfake | None) -> dict[str, Any]:
    return {"deepfake": result and DeepfakeAnswer(fake=result.fake, score=result.score, threshold=result.threshold)}


def _demographics(result: Demographics | None) -> dict[str, Any]:
    if result is None:
        return {"age": None, "gender": None}
    return {"age": result.age, "gender": GenderAnswer(label=result.gender, score=result.gender_score)}


def _mesh(result: Mesh | None) -> dict[str, Any]:
    if result is None:
        return {"mesh": None}
    pose = PoseAnswer(yaw=result.pose.yaw, pitch=result.pose.pitch, roll=result.pose.roll)
    return {"mesh": MeshAnswer(points=result.points.tolist(), pose=pose, blendshapes=result.blendshapes)}


_FIELDS: Final[dict[Task, Callable[[Any], dict[str, Any]]]] = {
    Task.EMBED: _embedding,
    Task.LIVENESS: _liveness,
    Task.DEEPFAKE: _deepfake,
    Task.DEMOGRAPHICS: _demographics,
    Task.MESH: _mesh,
}
