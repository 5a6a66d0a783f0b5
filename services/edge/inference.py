"""The inference routes behind their forms: a checked form in, an answer out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from facesocial.capabilities import Capability, Task
from facesocial.configuration import Configuration
from facesocial.errors import InvalidParameter
from facesocial.results import Embedding
from services.answers import AnalyzeAnswer, DetectAnswer, DetectedFace, VerifyAnswer, analyzed, common, detected
from services.edge.forms import ImageForm, VerifyForm
from services.edge.upload import UploadedFile
from services.pipeline.desk import Desk
from services.pipeline.inquiry import EncodedImage, Inquiry
from services.pipeline.report import FaceReport, Findings, Report
from services.visit import Visit


class Inference:
    """Asks the desk for callers on an event loop, each within its deadline."""

    def __init__(self, desk: Desk, configuration: Configuration) -> None:
        self._desk = desk
        self._limits = configuration.limits

    async def detect(self, form: ImageForm, visit: Visit) -> DetectAnswer:
        """`/v1/detect`."""
        findings = await self._ask(form, (), visit)
        (report,) = findings.reports
        fields = common(report, visit.request_id, findings.caveats, visit.upload_seconds)
        return DetectAnswer(**fields, faces=[DetectedFace(**detected(found.face)) for found in report.faces])

    async def analyze(self, form: ImageForm, tasks: Sequence[Task] | None, visit: Visit) -> AnalyzeAnswer:
        """`/v1/analyze`, and the routes of one task."""
        findings = await self._ask(form, None if tasks is None else tuple(tasks), visit)
        (report,) = findings.reports
        fields = common(report, visit.request_id, findings.caveats, visit.upload_seconds)
        return AnalyzeAnswer(**fields, faces=[analyzed(found, findings.tasks) for found in report.faces])

    async def verify(self, form: VerifyForm, visit: Visit) -> VerifyAnswer:
        """`/v1/verify`: both pictures are one inquiry, so that their embeddings are of one model."""
        findings = await visit.deadline.bound(
            self._desk.ask(
                Inquiry(
                    visit.request_id,
                    (_encoded(form.image_a), _encoded(form.image_b)),
                    visit.deadline,
                    (Task.EMBED, Task.LIVENESS) if form.liveness else (Task.EMBED,),
                    max_faces=self._limits.faces_default,
                    largest_only=True,
                )
            )
        )
        first, second = findings.reports
        face_a, face_b = (next(iter(report.faces), None) for report in (first, second))
        threshold = findings.thresholds[Capability.RECOGNITION.alias]
        similarity = _similarity(face_a, face_b)
        same = None if similarity is None else similarity >= threshold
        live_a, live_b = _live(face_a), _live(face_b)
        if same is not None and form.liveness:
            same = bool(same and live_a and live_b)
        return VerifyAnswer(
            **common(_joined(first, second), visit.request_id, findings.caveats, visit.upload_seconds),
            similarity=similarity,
            threshold=threshold,
            same=same,
            box_a=face_a and list(face_a.face.box),
            box_b=face_b and list(face_b.face.box),
            live_a=live_a,
            live_b=live_b,
        )

    async def _ask(self, form: ImageForm, tasks: tuple[Task, ...] | None, visit: Visit) -> Findings:
        if form.max_faces is not None and form.max_faces > self._limits.faces_max:
            raise InvalidParameter(f"max_faces: at most {self._limits.faces_max}")
        most = form.max_faces or self._limits.faces_default
        images = (_encoded(form.image),)
        inquiry = Inquiry(visit.request_id, images, visit.deadline, tasks, form.min_score, most)
        return await visit.deadline.bound(self._desk.ask(inquiry))


def _encoded(file: UploadedFile) -> EncodedImage:
    return EncodedImage(file.content, file.declared)


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
