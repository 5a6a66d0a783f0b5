"""Which adapter reads which architecture, and which runners serve now.

A new architecture is one file, one line here, one catalogue entry.
"""

from __future__ import annotations

import weakref
from collections import deque
from collections.abc import Callable
from typing import Any, Final, Protocol

from facesocial.capabilities import Capability
from facesocial.configuration import CpuSettings
from facesocial.errors import ModelError, ModelIntegrityError
from models.spec import ModelSpec
from models.store import InstalledModel
from runners.base import FaceAdapter, FaceRunner, Runner
from runners.batching import joined
from runners.core import LeasedCore
from runners.deepfake.mesonet import MesoNet
from runners.deepfake.starter import StarterDeepfake
from runners.demographics.faceapi import FaceApi
from runners.demographics.insightface_96 import InsightFace96
from runners.demographics.insightface_v1 import InsightFaceV1
from runners.demographics.starter import StarterDemographics
from runners.detection.base import DetectionAdapter, DetectionRunner
from runners.detection.scrfd import Scrfd
from runners.detection.starter import StarterDetector
from runners.detection.ultraface import UltraFace
from runners.detection.yolov5_face import YoloV5Face
from runners.detection.yolov8_face import YoloV8Face
from runners.detection.yolov10_face import YoloV10Face
from runners.detection.yunet import YuNet
from runners.liveness.hairymax import Hairymax
from runners.liveness.minifasnet import MiniFasNet
from runners.liveness.starter import StarterLiveness
from runners.mesh.face_landmarker import FaceLandmarker, MeshRunner
from runners.recognition.arcface import ArcFace
from runners.serving import AnyRunner, Reason, Serving
from runners.sessions import OnnxModel
from vram_policy import Arbiter

DETECTORS: Final[dict[str, Callable[[ModelSpec], DetectionAdapter]]] = {
    "scrfd": Scrfd,
    "starter": StarterDetector,
    "ultraface": UltraFace,
    "yolov10_face": YoloV10Face,
    "yolov5_face": YoloV5Face,
    "yolov8_face": YoloV8Face,
    "yunet": YuNet,
}

FACE_ADAPTERS: Final[dict[tuple[Capability, str], Callable[[ModelSpec], FaceAdapter[Any]]]] = {
    (Capability.RECOGNITION, "arcface"): ArcFace,
    (Capability.RECOGNITION, "sface"): ArcFace,
    (Capability.LIVENESS, "hairymax"): Hairymax,
    (Capability.LIVENESS, "minifasnet"): MiniFasNet,
    (Capability.LIVENESS, "starter"): StarterLiveness,
    (Capability.DEEPFAKE, "mesonet"): MesoNet,
    (Capability.DEEPFAKE, "starter"): StarterDeepfake,
    (Capability.DEMOGRAPHICS, "faceapi"): FaceApi,
    (Capability.DEMOGRAPHICS, "insightface_96"): InsightFace96,
    (Capability.DEMOGRAPHICS, "insightface_v1"): InsightFaceV1,
    (Capability.DEMOGRAPHICS, "starter"): StarterDemographics,
}


class Models(Protocol):
    """Which model serves a capability; `models.library.Library` is one."""

    def resolve(self, capability: Capability) -> InstalledModel:
        """The model, or ModelNotInstalled."""
        ...

    def generation(self) -> int:
        """Rises whenever `resolve` may answer something else."""
        ...


class Builder(Protocol):
    """Makes the runner of a model; no session is opened yet."""

    def __call__(self, installed: InstalledModel) -> AnyRunner:
        """ModelIntegrityError: nothing here reads its architecture."""
        ...


def local_builder(arbiter: Arbiter, cpu: CpuSettings) -> Builder:
    """Runners that run in this process, on sessions that `arbiter` leases."""

    def build(installed: InstalledModel) -> AnyRunner:
        spec, model = installed.spec, OnnxModel(installed, cpu)
        if spec.capability is Capability.MESH:
            return MeshRunner(FaceLandmarker(spec), installed)
        core = LeasedCore(model, arbiter)
        if spec.capability is Capability.DETECTION:
            return DetectionRunner(detection_adapter(spec), installed.tag, core)
        return FaceRunner(face_adapter(spec), installed.tag, joined(core, spec, cpu), cpu.batch)

    return build


def detection_adapter(spec: ModelSpec) -> DetectionAdapter:
    """The adapter of a detector.

    Raises:
        ModelIntegrityError: there is none for its architecture.
    """
    if spec.architecture not in DETECTORS:
        raise ModelIntegrityError(f"no adapter reads the architecture {spec.architecture!r} of {spec.name}")
    return DETECTORS[spec.architecture](spec)


def face_adapter(spec: ModelSpec) -> FaceAdapter[Any]:
    """The adapter of a network that looks at faces.

    Raises:
        ModelIntegrityError: there is none for its capability and architecture.
    """
    adapter = isinstance(spec.capability, Capability) and FACE_ADAPTERS.get((spec.capability, spec.architecture))
    if not adapter:
        raise ModelIntegrityError(f"no adapter reads the architecture {spec.architecture!r} of {spec.name}")
    return adapter(spec)


class RunnerLibrary:
    """The runners of what the aliases name. What serves changes only by `adopt`; old runners go when nobody uses them.

    `build` decides where they run. Thread-safe, but for `candidate`, `adopt` and `sweep`, which one thread calls.
    """

    def __init__(self, models: Models, build: Builder) -> None:
        self._models = models
        self._build = build
        self._unused: deque[AnyRunner] = deque()
        self.serving = Serving(-1, {}, {})
        """What serves now."""
        self.adopt(self.candidate())

    def detector(self) -> DetectionRunner:
        """See `Serving.detector`."""
        return self.serving.detector()

    def of(self, capability: Capability) -> Runner[Any]:
        """See `Serving.of`."""
        return self.serving.of(capability)

    def has(self, capability: Capability) -> bool:
        """See `Serving.has`."""
        return self.serving.has(capability)

    @property
    def stale(self) -> bool:
        """Whether the aliases have changed since `serving` was made."""
        return self._models.generation() != self.serving.generation

    def candidate(self) -> Serving:
        """The runners of what the aliases name now; a model that serves already keeps its runner."""
        generation = self._models.generation()
        runners: dict[Capability, AnyRunner] = {}
        missing: dict[Capability, Reason] = {}
        for capability in Capability:
            try:
                runners[capability] = self._runner(capability, self._models.resolve(capability))
            except ModelError as error:
                missing[capability] = Reason.of(error)
        return Serving(generation, runners, missing)

    def adopt(self, serving: Serving) -> None:
        """Let new requests be answered by `serving`."""
        before, self.serving = self.serving, serving
        weakref.finalize(before, self._unused.extend, tuple(before.runners.values())).atexit = False

    def discard(self, runner: AnyRunner) -> None:
        """Close a runner of a candidate that will not serve."""
        self._unused.append(runner)

    def sweep(self) -> None:
        """Close what no request uses any more and what does not serve."""
        unused = {}
        while self._unused:
            runner = self._unused.popleft()
            unused[id(runner)] = runner  # several generations may have had it
        serving = {runner.tag for runner in self.serving.runners.values()}
        for runner in unused.values():
            if runner.tag not in serving:
                runner.retire()

    def _runner(self, capability: Capability, installed: InstalledModel) -> AnyRunner:
        known = self.serving.runners.get(capability)
        return known if known and known.tag == installed.tag else self._build(installed)
