"""The inference routes behind their forms: a checked form in, an answer out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

import numpy as np

from facesocial.capabilities import Capability, Task
from facesocial.configuration import Configuration
from facesocial.errors import InvalidParameter, UnsupportedMediaType
from facesocial.results import Embedding
from runners.library import RunnerLibrary
from runners.thresholds import threshold_of
from services.answers import AnalyzeAnswer, DetectAnswer, DetectedFace, VerifyAnswer, analyzed, common, detected
from services.deadline import within
from services.edge.forms import ImageForm, VerifyForm
from services.edge.upload import UploadedFile
from services.pipeline.header import read_header
from services.pipeline.picture import Picture
from services.pipeline.pipeline import FaceReport, Pipeline, Report

T = TypeVar("T")

SYNONYMS = {"image/jpg": "image/jpeg", "image/pjpeg": "image/jpeg", "image/x-png": "image/png"}
UNDECLARED = ("", "application/octet-stream", "image/*")


class Inference:
    """Runs the pipeline for callers on an event loop, within the deadline."""

    def __init__(self, runners: RunnerLibrary, pipeline: Pipeline, configuration: Configuration) -> None:
        self._runners = runners
        self._pipeline = pipeline
        self._limits = configuration.limits
        self._default_tasks = configuration.models.tasks
        self._deadline = configuration.server.deadline_ms / 1000
        self._requests = ThreadPoolExecutor(configuration.cpu.requests, thread_name_prefix="request")

    def close(self) -> None:
        """Let running requests end and start no more."""
        self._requests.shutdown(wait=True, cancel_futures=True)
        self._pipeline.close()

    async def detect(self, form: ImageForm, request_id: str, upload_seconds: float) -> DetectAnswer:
        """`/v1/detect`."""
        return await self._run(partial(self._detect, form, request_id, upload_seconds))

    async def analyze(
        self, form: ImageForm, tasks: Sequence[Task] | None, request_id: str, upload_seconds: float
    ) -> AnalyzeAnswer:
        """`/v1/analyze`, and the routes of one task."""
        return await self._run(partial(self._analyze, form, tasks, request_id, upload_seconds))

    async def verify(self, form: VerifyForm, request_id: str, upload_seconds: float) -> VerifyAnswer:
        """`/v1/verify`."""
        return await self._run(partial(self._verify, form, request_id, upload_seconds))

    def _detect(self, form: ImageForm, request_id: str, upload_seconds: float) -> DetectAnswer:
        most = self._max_faces(form)
        report = self._pipeline.detect(self._open(form.image), form.min_score, most)
        fields = common(report, request_id, {}, upload_seconds)
        return DetectAnswer(**fields, faces=[DetectedFace(**detected(found.face)) for found in report.faces])

    def _analyze(
        self, form: ImageForm, tasks: Sequence[Task] | None, request_id: str, upload_seconds: float
    ) -> AnalyzeAnswer:
        asked = self._installed_defaults() if tasks is None else tuple(dict.fromkeys(tasks))
        most = self._max_faces(form)
        report = self._pipeline.analyze(self._open(form.image), asked, form.min_score, most)
        fields = common(report, request_id, self._caveats(asked), upload_seconds)
        return AnalyzeAnswer(**fields, faces=[analyzed(found, asked) for found in report.faces])

    def _verify(self, form: VerifyForm, request_id: str, upload_seconds: float) -> VerifyAnswer:
        tasks = (Task.EMBED, Task.LIVENESS) if form.liveness else (Task.EMBED,)
        first, second = self._largest(form.image_a, tasks), self._largest(form.image_b, tasks)
        face_a, face_b = (next(iter(report.faces), None) for report in (first, second))
        threshold = threshold_of(self._runners.of(Capability.RECOGNITION).adapter.spec)
        similarity = _similarity(face_a, face_b)
        same = None if similarity is None else similarity >= threshold
        live_a, live_b = _live(face_a), _live(face_b)
        if same is not None and form.liveness:
            same = bool(same and live_a and live_b)
        return VerifyAnswer(
            **common(_joined(first, second), request_id, self._caveats(tasks), upload_seconds),
            similarity=similarity,
            threshold=threshold,
            same=same,
            box_a=face_a and list(face_a.face.box),
            box_b=face_b and list(face_b.face.box),
            live_a=live_a,
            live_b=live_b,
        )

    def _largest(self, image: UploadedFile, tasks: Sequence[Task]) -> Report:
        """A report on the largest face alone."""
        picture = self._open(image)
        found = self._pipeline.detect(picture, None, self._limits.faces_default)
        largest = max(found.faces, key=lambda report: report.face.area, default=None)
        chosen = Report(
            found.width, found.height, (largest,) if largest else (), found.models, found.devices, found.seconds
        )
        return self._pipeline.describe(picture, chosen, tasks)

    def _open(self, image: UploadedFile) -> Picture:
        """A picture whose header has passed the gate and whose declared type is true.

        Raises:
            InputError: see `read_header`; `UnsupportedMediaType` also when content and declaration differ.
        """
        header = read_header(image.content, self._limits)
        declared = SYNONYMS.get(image.declared, image.declared)
        if declared not in UNDECLARED and declared != f"image/{header.format}":
            raise UnsupportedMediaType(f"declared as {declared[:40]}, but the content is image/{header.format}")
        return Picture(image.content, header)

    def _max_faces(self, form: ImageForm) -> int:
        if form.max_faces is not None and form.max_faces > self._limits.faces_max:
            raise InvalidParameter(f"max_faces: at most {self._limits.faces_max}")
        return form.max_faces or self._limits.faces_default

    def _installed_defaults(self) -> tuple[Task, ...]:
        return tuple(task for task in self._default_tasks if self._runners.has(task.capability))

    def _caveats(self, tasks: Sequence[Task]) -> dict[str, str]:
        specs = {task.capability.alias: self._runners.of(task.capability).adapter.spec for task in tasks}
        return {alias: spec.caveat for alias, spec in specs.items() if spec.caveat}

    async def _run(self, work: Callable[[], T]) -> T:
        """Compute in the request pool; the deadline ends the waiting, not the work, so that its leases stay true."""
        future = asyncio.get_running_loop().run_in_executor(self._requests, work)
        try:
            return await within(self._deadline, asyncio.shield(future))
        finally:
            future.cancel()  # what has not begun never will; what runs, runs on


def _similarity(face_a: FaceReport | None, face_b: FaceReport | None) -> float | None:
    """Cosine of the two embeddings, or None when one is missing."""
    a, b = (face and face.results[Task.EMBED] for face in (face_a, face_b))
    return float(np.dot(a.vector, b.vector)) if isinstance(a, Embedding) and isinstance(b, Embedding) else None


def _live(face: FaceReport | None) -> bool | None:
    result = None if face is None else face.results.get(Task.LIVENESS)
    return None if result is None else bool(result.live)


def _joined(first: Report, second: Report) -> Report:
    """One report for the envelope: the first image's size, the time of both."""
    stages = {*first.seconds, *second.seconds}
    seconds = {stage: first.seconds.get(stage, 0) + second.seconds.get(stage, 0) for stage in sorted(stages)}
    return Report(first.width, first.height, (), first.models | second.models, first.devices | second.devices, seconds)
