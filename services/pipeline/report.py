"""What the pipeline found out, as it crosses processes."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from facesocial import wire
from facesocial.capabilities import Capability, Task
from facesocial.results import Face
from runners.remote import RESULTS


@dataclass(frozen=True, slots=True)
class FaceReport:
    """A face and what was found out about it. A task that was asked and could not be done is None, with a reason."""

    face: Face
    results: dict[Task, Any] = field(default_factory=dict)
    reasons: dict[Task, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Report:
    """One picture: its faces, which models spoke (alias → tag), where they ran, and how long each stage took (s)."""

    width: int
    height: int
    faces: tuple[FaceReport, ...]
    models: dict[str, str]
    devices: dict[Capability, str]
    seconds: dict[str, float]

    def largest(self) -> Report:
        """The same with no face but the largest."""
        face = max(self.faces, key=lambda report: report.face.area, default=None)
        return replace(self, faces=(face,) if face else ())


@dataclass(frozen=True, slots=True)
class Findings:
    """The answer to an inquiry: a report a picture, and what the models that spoke say about themselves.

    Attributes:
        reports: in the order of the pictures.
        tasks: what was done with each face.
        caveats: alias → what its model is bad at.
        thresholds: alias → the threshold of its decision; only capabilities that decide.
    """

    reports: tuple[Report, ...]
    tasks: tuple[Task, ...]
    caveats: dict[str, str]
    thresholds: dict[str, float]


def open_findings(reply: bytes) -> Findings:
    """Findings from a reply of another process.

    Raises:
        FaceSocialError: the one it sent instead.
    """
    findings = wire.open_reply(reply, Findings)
    for report in findings.reports:
        for face in report.faces:
            for task, result in face.results.items():
                face.results[task] = None if result is None else wire.convert(result, RESULTS[task.capability])
    return findings
