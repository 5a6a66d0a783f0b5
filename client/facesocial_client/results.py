"""What the service answers. Pixels count from the upper left corner of the upright image."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

Box: TypeAlias = tuple[float, float, float, float]
"""x1, y1, x2, y2 in pixels."""

Point: TypeAlias = tuple[float, float]
"""x, y in pixels."""

Point3: TypeAlias = tuple[float, float, float]
"""x, y, z in pixels; z from the head's centre, smaller is nearer."""


@dataclass(frozen=True, slots=True)
class ImageSize:
    """Pixels of the upright image."""

    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Embedding:
    """`vector` is L2-normalised; vectors of different contracts must not be compared."""

    contract: str
    vector: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Liveness:
    """`score` is P(live) in [0, 1]; `live` is `score >= threshold`."""

    live: bool
    score: float
    threshold: float


@dataclass(frozen=True, slots=True)
class Deepfake:
    """`score` is P(fake) in [0, 1]; `fake` is `score >= threshold`."""

    fake: bool
    score: float
    threshold: float


@dataclass(frozen=True, slots=True)
class Gender:
    """`score` is the probability of the label, in [0.5, 1]."""

    label: Literal["female", "male"]
    score: float


@dataclass(frozen=True, slots=True)
class Pose:
    """Head rotation in degrees: yaw > 0 turns to the viewer's right, pitch > 0 looks down, roll > 0 tilts clockwise."""

    yaw: float
    pitch: float
    roll: float


@dataclass(frozen=True, slots=True)
class Mesh:
    """478 points, the head's pose, and MediaPipe's 52 blendshapes in [0, 1] by name."""

    points: tuple[Point3, ...]
    pose: Pose
    blendshapes: dict[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Face:
    """A face that was found.

    `score` lies in [0, 1]; `landmarks` are left eye, right eye, nose, left and right mouth corner as seen in the
    picture, or None when the detector gives none.
    """

    box: Box
    score: float
    landmarks: tuple[Point, Point, Point, Point, Point] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalyzedFace(Face):
    """A face with the results of the tasks asked for.

    A result is None when its task was not asked for, or could not be done; then `reasons` has the task's name and why.
    `age` is in years, `reason` is why the embedding is None.
    """

    embedding: Embedding | None = None
    liveness: Liveness | None = None
    deepfake: Deepfake | None = None
    age: float | None = None
    gender: Gender | None = None
    mesh: Mesh | None = None
    reason: str | None = None
    reasons: dict[str, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What every answer carries.

    Attributes:
        request_id: under which the service's log has the request.
        image: size of the picture; of two, the first.
        models: alias → tag of the model that answered.
        device: capability → `cpu`, `cuda:N` or `simulated:N`.
        timing_ms: stage → milliseconds.
        cached: the answer is an earlier one.
        caveats: alias → what its model is bad at.
    """

    request_id: str
    image: ImageSize
    models: dict[str, str]
    device: dict[str, str]
    timing_ms: dict[str, float]
    cached: bool
    caveats: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Detection(Answer):
    """Faces by falling score."""

    faces: tuple[Face, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis(Answer):
    """Faces by falling score, each with the results of the tasks."""

    faces: tuple[AnalyzedFace, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification(Answer):
    """Whether the largest faces of two pictures are the same person's.

    Attributes:
        similarity: cosine of the embeddings; None when a face is missing.
        threshold: of the similarity.
        same: None when a face is missing; False when liveness was asked for and one is not live.
        box_a: the face of the first picture.
        box_b: the face of the second.
        live_a: None when liveness was not asked for.
        live_b: likewise.
    """

    similarity: float | None
    threshold: float
    same: bool | None
    box_a: Box | None
    box_b: Box | None
    live_a: bool | None = None
    live_b: bool | None = None
