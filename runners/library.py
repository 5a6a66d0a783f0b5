"""Which adapter reads which architecture. A new architecture is one file, one line here, one catalogue entry."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Final, Protocol

from facesocial.capabilities import Capability
from facesocial.configuration import CpuSettings
from facesocial.errors import ModelIntegrityError
from models.catalogue import ModelSpec
from models.store import InstalledModel
from runners.base import FaceAdapter, FaceRunner
from runners.deepfake.mesonet import MesoNet
from runners.demographics.faceapi import FaceApi
from runners.demographics.insightface_96 import InsightFace96
from runners.demographics.insightface_v1 import InsightFaceV1
from runners.detection.base import DetectionAdapter, DetectionRunner
from runners.detection.scrfd import Scrfd
from runners.detection.ultraface import UltraFace
from runners.detection.yolov5_face import YoloV5Face
from runners.detection.yolov8_face import YoloV8Face
from runners.detection.yolov10_face import YoloV10Face
from runners.detection.yunet import YuNet
from runners.liveness.hairymax import Hairymax
from runners.liveness.minifasnet import MiniFasNet
from runners.mesh.face_landmarker import MeshRunner, open_mesh
from runners.recognition.arcface import ArcFace
from runners.sessions import OnnxModel
from vram_policy import Arbiter

DETECTORS: Final[dict[str, Callable[[ModelSpec], DetectionAdapter]]] = {
    "scrfd": Scrfd,
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
    (Capability.DEEPFAKE, "mesonet"): MesoNet,
    (Capability.DEMOGRAPHICS, "faceapi"): FaceApi,
    (Capability.DEMOGRAPHICS, "insightface_96"): InsightFace96,
    (Capability.DEMOGRAPHICS, "insightface_v1"): InsightFaceV1,
}


class Models(Protocol):
    """Which model serves a capability; `models.library.Library` is one."""

    def resolve(self, capability: Capability) -> InstalledModel:
        """The model, or ModelNotInstalled."""
        ...

    def serves(self, capability: Capability) -> bool:
        """Whether there is one."""
        ...


class RunnerLibrary:
    """The runners of what is installed, one per capability. Sessions are opened on first lease, not here.

    Raises:
        ModelIntegrityError: an installed model has an architecture without an adapter.
    """

    def __init__(self, models: Models, arbiter: Arbiter, cpu: CpuSettings) -> None:
        self._models = models
        self._arbiter = arbiter
        self._cpu = cpu
        self._runners: dict[Capability, Any] = {}
        self._lock = threading.Lock()

    def detector(self) -> DetectionRunner:
        """The runner of `face-detection`.

        Raises:
            ModelNotInstalled: nothing serves the alias.
        """
        runner: DetectionRunner = self._get(Capability.DETECTION)
        return runner

    def of(self, capability: Capability) -> FaceRunner[Any] | MeshRunner:
        """The runner of a capability of faces.

        Raises:
            ModelNotInstalled: nothing serves the alias.
        """
        runner: FaceRunner[Any] | MeshRunner = self._get(capability)
        return runner

    def has(self, capability: Capability) -> bool:
        """Whether a model serves the capability."""
        return capability in self._runners or self._models.serves(capability)

    def _get(self, capability: Capability) -> Any:
        with self._lock:
            if capability not in self._runners:
                self._runners[capability] = self._build(capability, self._models.resolve(capability))
            return self._runners[capability]

    def _build(
        self, capability: Capability, installed: InstalledModel
    ) -> DetectionRunner | FaceRunner[Any] | MeshRunner:
        spec, model = installed.spec, OnnxModel(installed, self._cpu)
        if capability is Capability.MESH:
            return open_mesh(installed)
        if capability is Capability.DETECTION and spec.architecture in DETECTORS:
            return DetectionRunner(DETECTORS[spec.architecture](spec), model, self._arbiter)
        adapter = FACE_ADAPTERS.get((capability, spec.architecture))
        if adapter is None:
            raise ModelIntegrityError(f"no adapter for architecture {spec.architecture!r} of {installed.tag}")
        return FaceRunner(adapter(spec), model, self._arbiter, self._cpu.batch)
