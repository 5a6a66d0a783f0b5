"""A runner whose model lives in another process: uint8 pictures go over, results come back.

Both ends are here. The caller knows the model (its crops, where its results belong), the other process has the session.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeAlias, TypeVar, cast

import msgspec

from facesocial import wire
from facesocial.capabilities import Capability
from facesocial.errors import ModelError, NotReady
from facesocial.results import Deepfake, Demographics, Embedding, Face, Image, Liveness, Mesh
from models.library import Library
from models.store import InstalledModel
from runners.base import Outcome, Sight, Views
from runners.detection.base import DetectionAdapter, DetectionRunner
from runners.library import Builder, detection_adapter, face_adapter
from runners.mesh.face_landmarker import FaceLandmarker
from runners.serving import AnyRunner

Result = TypeVar("Result")

Send: TypeAlias = Callable[[bytes], bytes]
"""Takes a call over and brings the reply back; blocks. NotReady when the process is not there."""

RESULTS: Final[dict[Capability, type]] = {
    Capability.DETECTION: Face,
    Capability.RECOGNITION: Embedding,
    Capability.LIVENESS: Liveness,
    Capability.DEEPFAKE: Deepfake,
    Capability.DEMOGRAPHICS: Demographics,
    Capability.MESH: Mesh,
}
"""Capability → class of its results."""


class FaceCall(msgspec.Struct, frozen=True, tag=True):
    """Run the model on faces: of each, the crops its adapter asks for, uint8 [h, w, 3] BGR."""

    model: str
    faces: tuple[tuple[Image, ...], ...]


class DetectionCall(msgspec.Struct, frozen=True, tag=True):
    """Find faces on a canvas, uint8 [h, w, 3] BGR."""

    model: str
    board: Image
    min_score: float
    max_faces: int


class Retirement(msgspec.Struct, frozen=True, tag=True):
    """The model will not be called any more."""

    model: str


Call: TypeAlias = FaceCall | DetectionCall | Retirement
"""What may be asked; `model` is a tag."""


@dataclass(frozen=True, slots=True)
class _Results:
    values: tuple[Any, ...]
    device: str


class RemoteRunner(Generic[Result]):
    """A capability of faces in another process."""

    def __init__(self, adapter: Sight[Result], tag: str, kind: type[Result], send: Send) -> None:
        self.adapter = adapter
        self.tag = tag
        self._kind = kind
        self._send = send

    def run(self, faces: Sequence[Views]) -> Outcome[Result]:
        """See `Runner.run`; no faces, no call."""
        if not faces:
            return Outcome((), "")
        return _ask(self._send, FaceCall(self.tag, tuple(faces)), self._kind)

    def retire(self) -> None:
        """See `Runner.retire`."""
        _retire(self._send, self.tag)


class RemoteDetectionRunner(DetectionRunner):
    """Detection in another process: the canvas is laid out here, what is on it is found there."""

    def __init__(self, adapter: DetectionAdapter, tag: str, send: Send) -> None:
        self.adapter = adapter
        self.tag = tag
        self._send = send

    def find(self, board: Image, min_score: float, max_faces: int) -> Outcome[Face]:
        """See `DetectionRunner.find`."""
        return _ask(self._send, DetectionCall(self.tag, board, min_score, max_faces), Face)

    def retire(self) -> None:
        """See `Runner.retire`."""
        _retire(self._send, self.tag)


def remote_builder(lines: Mapping[Capability, Send]) -> Builder:
    """Runners each of whose capabilities lives in the process at the end of its line."""

    def build(installed: InstalledModel) -> AnyRunner:
        spec, tag = installed.spec, installed.tag
        capability = Capability(spec.capability)
        if capability is Capability.DETECTION:
            return RemoteDetectionRunner(detection_adapter(spec), tag, lines[capability])
        adapter = FaceLandmarker(spec) if capability is Capability.MESH else face_adapter(spec)
        return RemoteRunner(adapter, tag, RESULTS[capability], lines[capability])

    return build


class Bench:
    """The other end: the runners of one capability, by tag; each is made when first called and kept until retired."""

    def __init__(self, capability: Capability, library: Library, build: Builder) -> None:
        self._capability = capability
        self._library = library
        self._build = build
        self._runners: dict[str, AnyRunner] = {}

    def serving(self) -> AnyRunner:
        """The runner of what the alias names now.

        Raises:
            ModelError: nothing, or nothing that can be read.
        """
        return self._runner(self._library.resolve(self._capability).tag)

    def answer(self, content: bytes) -> object:
        """What a call asks for.

        Raises:
            ModelError: the tag is not installed, damaged, or of another capability.
            ServiceError: `content` is no call.
        """
        call = wire.decode(content, cast("type[Call]", Call))
        if isinstance(call, Retirement):
            if retired := self._runners.pop(call.model, None):
                retired.retire()
            return None
        runner = self._runner(call.model)
        outcome: Outcome[Any]
        if isinstance(runner, DetectionRunner) and isinstance(call, DetectionCall):
            outcome = runner.find(call.board, call.min_score, call.max_faces)
        elif not isinstance(runner, DetectionRunner) and isinstance(call, FaceCall):
            outcome = runner.run(call.faces)
        else:
            raise ModelError(f"{call.model} was asked for what it does not do")
        return _Results(outcome.results, outcome.device)

    def _runner(self, tag: str) -> AnyRunner:
        if known := self._runners.get(tag):
            return known
        installed = self._library.get(tag)
        if installed.spec.capability is not self._capability:
            raise ModelError(f"{tag} is no model for {self._capability.alias}")
        return self._runners.setdefault(tag, self._build(installed))


def _retire(send: Send, tag: str) -> None:
    with suppress(NotReady):  # a process that is not there holds nothing
        send(wire.encode(Retirement(tag)))


def _ask(send: Send, call: Call, kind: type[Result]) -> Outcome[Result]:
    results = wire.open_reply(send(wire.encode(call)), _Results)
    values = tuple(None if value is None else wire.convert(value, kind) for value in results.values)
    return Outcome(values, results.device)  # type: ignore[arg-type]  # None is a result of the mesh alone
