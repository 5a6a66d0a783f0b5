"""Whether the service can answer, and what it must do without: brings every installed model up once, then tells."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import cv2
import numpy as np
import structlog

from facesocial.capabilities import Capability, Task
from facesocial.configuration import Configuration
from facesocial.errors import FaceSocialError, ModelNotInstalled
from facesocial.results import Face
from runners.crops import ARCFACE_TEMPLATE
from runners.library import RunnerLibrary
from services.pipeline.header import read_header
from services.pipeline.picture import Picture
from services.pipeline.pipeline import FaceReport, Pipeline, Report

log = structlog.get_logger(__name__)

BLANK: Final = cv2.imencode(".jpg", np.full((480, 640, 3), 127, np.uint8))[1].tobytes()
"""A grey picture: no face in it, so the warm-up brings one along."""

FACE: Final = Face((264.0, 184.0, 376.0, 296.0), 1.0, ARCFACE_TEMPLATE + np.array([264, 184], np.float32))


@dataclass(frozen=True, slots=True)
class State:
    """`reasons` keep the service from being ready; `degraded` is missing, and the rest works."""

    ready: bool
    reasons: tuple[str, ...] = ()
    degraded: tuple[str, ...] = ()


@dataclass(slots=True)
class Readiness:
    """What `/readyz` says. Written by the warm-up thread, read by the edge."""

    state: State = field(default_factory=lambda: State(ready=False, reasons=("starting",)))

    def warm_up(self, runners: RunnerLibrary, pipeline: Pipeline, configuration: Configuration) -> None:
        """Run every installed capability once, in a thread of its own, so that `/livez` answers meanwhile."""
        self.state = State(ready=False, reasons=("warming up",))
        work = (runners, pipeline, configuration)
        threading.Thread(target=self._warm_up, args=work, name="warm-up", daemon=True).start()

    def _warm_up(self, runners: RunnerLibrary, pipeline: Pipeline, configuration: Configuration) -> None:
        failures: dict[Capability, str] = {}
        for capability in Capability:
            try:
                _run_once(capability, runners, pipeline, configuration)
            except ModelNotInstalled:
                failures[capability] = f"{capability.alias}: not installed"
            except FaceSocialError as error:
                failures[capability] = f"{capability.alias}: {error.code}"
                log.exception("warm-up failed", capability=capability.value)
            except Exception:
                failures[capability] = f"{capability.alias}: internal"
                log.exception("warm-up failed", capability=capability.value)
        required = configuration.models.required
        reasons = tuple(reason for capability, reason in failures.items() if capability in required)
        degraded = tuple(reason for capability, reason in failures.items() if capability not in required)
        self.state = State(ready=not reasons, reasons=reasons, degraded=degraded)
        log.info("warm-up done", ready=not reasons, reasons=reasons, degraded=degraded)


def _run_once(capability: Capability, runners: RunnerLibrary, pipeline: Pipeline, configuration: Configuration) -> None:
    """One run on the blank picture.

    Raises:
        ModelError: the model is missing or cannot be opened.
    """
    picture = Picture(BLANK, read_header(BLANK, configuration.limits))
    if capability is Capability.DETECTION:
        pipeline.detect(picture, None, 1)
        return
    tasks: Sequence[Task] = [task for task in Task if task.capability is capability]
    runners.of(capability)
    pipeline.describe(picture, Report(640, 480, (FaceReport(FACE),), {}, {}, {}), tasks)
