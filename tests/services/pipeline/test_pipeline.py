"""Decode once, detect once, cut each crop once, every capability on its own faces."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
import pytest

from bentos.composition import Parts
from cli.bench.accuracy import open_picture
from cli.bench.accuracy_table import With, pipeline_with
from facesocial.capabilities import Capability, Task
from facesocial.configuration import CpuSettings
from facesocial.errors import ModelNotInstalled, ProcessLost
from facesocial.results import Embedding, Face, Image
from models.catalogue import load_catalogue
from models.library import Library
from models.store import InstalledModel
from runners.base import FaceAdapter, Outcome, Views
from runners.crops import AlignedCrop, Crop, PixelSource, SquareCrop
from runners.library import RunnerLibrary, local_builder
from services.pipeline.pipeline import NO_CROP, Pipeline
from services.pipeline.report import FaceReport, Report
from vram_policy import CpuArbiter

GREY = bytes(cv2.imencode(".jpg", np.full((300, 400, 3), 90, np.uint8))[1])
POINTS = np.array([[60, 60], [90, 60], [75, 80], [63, 95], [88, 95]], np.float32)


@dataclass(frozen=True)
class CountingCrop:
    """Remembers every cut; equal to its equals by `name`."""

    name: str
    cuts: list[Face] = field(default_factory=list, compare=False, hash=False)

    def cut(self, source: PixelSource, face: Face) -> Image | None:
        """A black pixel."""
        self.cuts.append(face)
        return np.zeros((1, 1, 3), np.uint8)


class FakeAdapter:
    """Wants the crops it is given."""

    def __init__(self, crops: tuple[Crop, ...]) -> None:
        self.crops = crops

    def place(self, result: Any, face: Face) -> Any:
        """As it is."""
        return result


@dataclass
class FakeRunner:
    """Numbers the faces it sees; meets others at a barrier if it has one."""

    adapter: FakeAdapter
    tag: str = "fake:1"
    barrier: threading.Barrier | None = None
    first: Callable[[], object] = lambda: None

    def run(self, faces: Sequence[Views]) -> Outcome[int]:
        """0, 1, 2 …"""
        self.first()
        if self.barrier:
            self.barrier.wait(5)
        return Outcome(tuple(range(len(faces))), "cpu")


@dataclass
class FakeRunners:
    """What is installed."""

    runners: dict[Capability, FakeRunner]

    def of(self, capability: Capability) -> FakeRunner:
        """As the library does."""
        if capability not in self.runners:
            raise ModelNotInstalled(capability.alias)
        return self.runners[capability]


@dataclass(frozen=True)
class Without:
    """Models of which one capability is missing."""

    models: With
    missing: Capability

    def resolve(self, capability: Capability) -> InstalledModel:
        """As the library does."""
        if capability is self.missing:
            raise ModelNotInstalled(capability.alias)
        return self.models.resolve(capability)

    def generation(self) -> int:
        """As the library does."""
        return self.models.generation()


def pipeline(workers: int = 2, **runners: FakeRunner) -> Pipeline:
    """Of these runners."""
    known = {Capability(name): runner for name, runner in runners.items()}
    return Pipeline(cast(RunnerLibrary, FakeRunners(known)), workers)


def found(*faces: Face) -> Report:
    """As detection would report."""
    return Report(400, 300, tuple(FaceReport(face) for face in faces), {}, {}, {})


def face(landmarks: bool = True) -> Face:
    """A face with or without landmarks."""
    return Face((50, 40, 100, 110), 0.9, POINTS if landmarks else None)


@pytest.mark.unit
def test_equal_crops_are_cut_once() -> None:
    """Two capabilities that want the same crop of two faces: two cuts, not four."""
    crop = CountingCrop("aligned")
    same = CountingCrop("aligned", crop.cuts)
    runs = pipeline(recognition=FakeRunner(FakeAdapter((crop,))), demographics=FakeRunner(FakeAdapter((same,))))
    runs.describe(open_picture(GREY), found(face(), face()), [Task.EMBED, Task.DEMOGRAPHICS])
    assert len(crop.cuts) == 2


@pytest.mark.unit
def test_a_face_without_landmarks_says_so_and_costs_the_others_nothing() -> None:
    """Results land on their own faces; the one that cannot be aligned is None with a reason."""
    runs = pipeline(recognition=FakeRunner(FakeAdapter((AlignedCrop(),))))
    report = runs.describe(open_picture(GREY), found(face(), face(landmarks=False), face()), [Task.EMBED])
    assert [one.results[Task.EMBED] for one in report.faces] == [0, None, 1]
    assert [one.reasons for one in report.faces] == [{}, {Task.EMBED: NO_CROP}, {}]


@pytest.mark.unit
def test_capabilities_run_side_by_side() -> None:
    """Two runners that wait for each other both come back."""
    barrier = threading.Barrier(2)
    runners = [FakeRunner(FakeAdapter((SquareCrop(1, (9, 9)),)), barrier=barrier) for _ in range(2)]
    runs = pipeline(liveness=runners[0], deepfake=runners[1])
    report = runs.describe(open_picture(GREY), found(face()), [Task.LIVENESS, Task.DEEPFAKE])
    assert report.devices == {Capability.LIVENESS: "cpu", Capability.DEEPFAKE: "cpu"}
    assert report.models == {"face-liveness": "fake:1", "face-deepfake": "fake:1"}
    assert {"decode", "crops", "liveness", "deepfake"} <= set(report.seconds)


@pytest.mark.unit
def test_r22_a_failed_task_leaves_no_work_behind() -> None:
    """Two requests that failed at once do not keep a third waiting behind what nobody wants any more."""
    gate, begun = threading.Event(), threading.Semaphore(0)

    def linger() -> None:
        begun.release()
        assert gate.wait(5)

    slow = FakeRunner(FakeAdapter((SquareCrop(1, (9, 9)),)), first=linger)
    gone = FakeRunner(FakeAdapter((SquareCrop(1, (9, 9)),)), first=_lose)
    runs = pipeline(workers=1, liveness=slow, deepfake=slow, mesh=gone)
    for _ in range(2):
        with pytest.raises(ProcessLost):
            runs.describe(open_picture(GREY), found(face()), [Task.LIVENESS, Task.DEEPFAKE, Task.MESH])
    gate.set()
    runs.close()
    assert begun.acquire(timeout=0)
    assert not begun.acquire(timeout=0), "one had begun, the other three never did"


def _lose() -> None:
    raise ProcessLost("gone")


@pytest.mark.unit
def test_a_missing_model_is_known_before_anything_runs() -> None:
    """Nothing is detected for a task that cannot be done."""
    with pytest.raises(ModelNotInstalled):
        pipeline().analyze(open_picture(GREY), [Task.EMBED])


@pytest.mark.integration
def test_a_large_photograph_is_decoded_as_little_as_its_faces_need(parts: Parts, data: Path) -> None:
    """12 megapixels with one large face: never decoded in full, and the embedding is that of the full picture."""
    original = cv2.imread(str(data / "people" / "biden.jpg"))
    assert original is not None
    large = np.asarray(cv2.resize(original, (3200, 3999), interpolation=cv2.INTER_CUBIC), np.uint8)
    picture = open_picture(bytes(cv2.imencode(".jpg", large, [cv2.IMWRITE_JPEG_QUALITY, 92])[1]))
    reduced = _vector(parts.pipeline.analyze(picture, [Task.EMBED]))
    assert min(picture.levels) >= 1, "a level of the full size was decoded"
    full = _vector(parts.pipeline.analyze(open_picture(bytes(cv2.imencode(".png", large)[1])), [Task.EMBED]))
    assert float(reduced @ full) > 0.98


@pytest.mark.integration
def test_landmarks_come_from_the_mesh_where_the_detector_gives_none(library: Library, six_faces: Path) -> None:
    """UltraFace: the report names the mesh model, and each embedding is nearest to the one with SCRFD's landmarks."""
    ultraface, scrfd = (
        pipeline_with(library, name).analyze(open_picture(six_faces.read_bytes()), [Task.EMBED])
        for name in ("ultraface_rfb_320", "scrfd_2.5g")
    )
    assert {"face-mesh", "face-recognition"} <= ultraface.models.keys()
    assert ultraface.devices[Capability.MESH] == "cpu"
    assert "face-mesh" not in scrfd.models
    own, other = (np.stack([_vector_of(one) for one in _by_place(report)]) for report in (ultraface, scrfd))
    similarity = own @ other.T
    assert similarity.argmax(axis=1).tolist() == list(range(6))
    assert similarity.diagonal().min() > 0.8


@pytest.mark.integration
def test_without_a_mesh_model_a_face_has_no_landmarks(library: Library, six_faces: Path) -> None:
    """Detected all the same; the embedding is null, with the reason."""
    models = Without(With(library, {Capability.DETECTION: library.store.get("ultraface_rfb_320")}), Capability.MESH)
    runs = Pipeline(RunnerLibrary(models, local_builder(CpuArbiter(), CpuSettings())), 2)
    report = runs.analyze(open_picture(six_faces.read_bytes()), [Task.EMBED, Task.LIVENESS])
    assert len(report.faces) == 6
    for one in report.faces:
        assert one.face.landmarks is None
        assert one.results[Task.EMBED] is None
        assert one.reasons == {Task.EMBED: NO_CROP}
        assert one.results[Task.LIVENESS] is not None


@pytest.mark.integration
def test_no_face(parts: Parts) -> None:
    """A grey wall: no faces, no device for what did not run."""
    report = parts.pipeline.analyze(open_picture(GREY), list(Task))
    assert report.faces == ()
    assert set(report.devices) == {Capability.DETECTION}


@pytest.mark.unit
def test_every_adapter_is_reached_by_its_catalogue_entry() -> None:
    """The permissive pack has no architecture without an adapter."""
    from runners.library import DETECTORS, FACE_ADAPTERS

    for spec in load_catalogue().pack("permissive"):
        assert isinstance(spec.capability, Capability)
        known = spec.architecture in DETECTORS or (spec.capability, spec.architecture) in FACE_ADAPTERS
        assert known or spec.capability is Capability.MESH
        if adapter := FACE_ADAPTERS.get((spec.capability, spec.architecture)):
            assert isinstance(adapter(spec), FaceAdapter)


def _by_place(report: Report) -> list[FaceReport]:
    return sorted(report.faces, key=lambda one: one.face.box)


def _vector(report: Report) -> Any:
    return _vector_of(report.faces[0])


def _vector_of(one: FaceReport) -> Any:
    embedding = one.results[Task.EMBED]
    assert isinstance(embedding, Embedding)
    return embedding.vector
