"""Brings models into service, at the start and whenever an alias changes, and says whether the service can answer.

A model answers only after it has run once. Until then, and when it fails, what answered before answers on.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import structlog

from facesocial.capabilities import Capability
from facesocial.configuration import Configuration, LimitSettings
from facesocial.errors import FaceSocialError, ModelError, ModelNotInstalled, NotReady
from facesocial.results import Face
from runners.crops import ARCFACE_TEMPLATE
from runners.detection.base import DetectionRunner
from runners.library import RunnerLibrary
from runners.serving import AnyRunner, Serving
from services.pipeline.header import read_header
from services.pipeline.picture import Picture

log = structlog.get_logger(__name__)

BLANK: Final = cv2.imencode(".jpg", np.full((480, 640, 3), 127, np.uint8))[1].tobytes()
"""A grey picture: no face in it, so the rehearsal brings one along."""

FACE: Final = Face((264.0, 184.0, 376.0, 296.0), 1.0, ARCFACE_TEMPLATE + np.array([264, 184], np.float32))

LOOK_SECONDS: Final = 0.5
"""Between two looks at the aliases: a change is served within a second of being loaded."""

RETRY_LOOKS: Final = 20
"""Looks between two tries of a model that failed; one whose process is not there yet is tried at every look."""


@dataclass(frozen=True, slots=True)
class State:
    """`reasons` keep the service from being ready; `degraded` is missing, and the rest works.

    `generation` is that of the aliases in force; −1 before the first.
    """

    ready: bool
    reasons: tuple[str, ...] = ()
    degraded: tuple[str, ...] = ()
    generation: int = -1


class Readiness:
    """Watches the aliases in a thread of its own, so that `/livez` answers meanwhile.

    Args:
        runners: what serves; nobody else changes it.
        configuration: which capabilities are required.
        lost: capabilities whose process is not there at this moment.
    """

    def __init__(
        self,
        runners: RunnerLibrary,
        configuration: Configuration,
        lost: Callable[[], Collection[Capability]] = frozenset,
    ) -> None:
        self._runners = runners
        self._configuration = configuration
        self._lost = lost
        self._proven: set[str] = set()
        self._failures: dict[Capability, tuple[str, FaceSocialError]] = {}
        self._warm = False
        self._closed = threading.Event()

    def start(self, when_warm: Callable[[], object] = lambda: None) -> None:
        """Begin to watch; `when_warm` is called once, when everything has run that runs."""
        threading.Thread(target=self._watch, args=(when_warm,), name="readiness", daemon=True).start()

    def close(self) -> None:
        """Look no more."""
        self._closed.set()

    @property
    def state(self) -> State:
        """What `/readyz` says."""
        serving, lost = self._runners.serving, self._lost()
        if not self._warm:
            return State(ready=False, reasons=("warming up",))
        unable = {
            capability: self._why(capability, serving) for capability in Capability if not serving.has(capability)
        }
        unable |= {capability: f"{capability.alias}: its process is not there" for capability in lost}
        required = self._configuration.models.required
        reasons = [reason for capability, reason in unable.items() if capability in required]
        degraded = [reason for capability, reason in unable.items() if capability not in required]
        degraded += [
            f"{capability.alias}: {tag} failed ({error.code}), {serving.runners[capability].tag} serves on"
            for capability, (tag, error) in self._failures.items()
            if serving.has(capability)
        ]
        return State(not reasons, tuple(reasons), tuple(degraded), serving.generation)

    def turn(self) -> None:
        """Bring into service what the aliases name now, as far as it runs."""
        current, candidate = self._runners.serving, self._runners.candidate()
        failures: dict[Capability, tuple[str, FaceSocialError]] = {}
        runners: dict[Capability, AnyRunner] = {}
        for capability, runner in candidate.runners.items():
            error = None if runner.tag in self._proven else self._prove(capability, runner)
            if error is None:
                self._proven.add(runner.tag)
                runners[capability] = runner
                continue
            failures[capability] = (runner.tag, error)
            before = current.runners.get(capability)
            if before and before.tag in self._proven:
                runners[capability] = before
            if before is not runner:
                self._runners.discard(runner)
        failed = {capability: error for capability, (_, error) in failures.items() if capability not in runners}
        self._runners.adopt(Serving(candidate.generation, runners, {**candidate.missing, **failed}))
        self._failures = failures
        self._proven &= {runner.tag for runner in runners.values()}

    def _watch(self, when_warm: Callable[[], object]) -> None:
        looks = 0
        while not self._closed.is_set():
            looks += 1
            try:
                if not self._warm or self._runners.stale or self._worth_retrying(looks):
                    self.turn()
                    if not self._warm and not self._waits_for_a_process:
                        self._warm = True
                        when_warm()
                    state = self.state
                    done = "warm-up done" if self._warm else "waiting for processes"
                    log.info(done, ready=state.ready, reasons=state.reasons, degraded=state.degraded)
                self._runners.sweep()
            except ModelError as error:  # the alias file is damaged: what serves, serves on
                log.warning("aliases cannot be read", code=error.code)
            except Exception:
                log.exception("looking at the aliases failed")
            self._closed.wait(LOOK_SECONDS)

    @property
    def _waits_for_a_process(self) -> bool:
        return any(isinstance(error, NotReady) for _, error in self._failures.values())

    def _worth_retrying(self, looks: int) -> bool:
        return self._waits_for_a_process or bool(self._failures and looks % RETRY_LOOKS == 0)

    def _why(self, capability: Capability, serving: Serving) -> str:
        error = serving.missing[capability]
        return f"{capability.alias}: {'not installed' if isinstance(error, ModelNotInstalled) else error.code}"

    def _prove(self, capability: Capability, runner: AnyRunner) -> FaceSocialError | None:
        """Run once; the error if it does not work."""
        try:
            rehearse(runner)
        except FaceSocialError as error:
            if not isinstance(error, NotReady):
                log.exception("a model does not run", capability=capability.value)
            return error
        except Exception as error:
            log.exception("a model does not run", capability=capability.value)
            failure = FaceSocialError(f"the model of {capability.alias} does not run")
            failure.__cause__ = error
            return failure
        return None


def rehearse(runner: AnyRunner) -> None:
    """One run on the blank picture, so that the session is open before anybody waits for it.

    Raises:
        ModelError: the model cannot be opened.
    """
    picture = Picture(BLANK, read_header(BLANK, LimitSettings()))
    if isinstance(runner, DetectionRunner):
        runner.run(picture, 0.5, 1)
        return
    views = [crop.cut(picture, FACE) for crop in runner.adapter.crops]
    runner.run([tuple(view for view in views if view is not None)])
