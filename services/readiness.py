"""Brings models into service, at the start and whenever an alias changes, and says whether the service can answer.

A model answers only after it has run once. Until then, and when it fails, what answered before answers on.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future, wait
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
from runners.serving import AnyRunner, Reason, Serving
from services.pipeline.header import read_header
from services.pipeline.picture import Picture

log = structlog.get_logger(__name__)

BLANK: Final = cv2.imencode(".jpg", np.full((480, 640, 3), 127, np.uint8))[1].tobytes()
"""A grey picture: no face in it, so the rehearsal brings one along."""

FACE: Final = Face((264.0, 184.0, 376.0, 296.0), 1.0, ARCFACE_TEMPLATE + np.array([264, 184], np.float32))

LOOK_SECONDS: Final = 0.5
"""Between two looks at the aliases: a change is served within a second of being loaded."""

RETRY_LOOKS: Final = 20
"""Looks between two tries of a model that failed."""

START_LOOKS: Final = 40
"""Looks at the start after which a process that is not required is waited for no more."""


@dataclass(frozen=True, slots=True)
class State:
    """`reasons` keep the service from being ready; `degraded` is missing, and the rest works.

    `generation` is that of the aliases in force; −1 before the first.
    """

    ready: bool
    reasons: tuple[str, ...] = ()
    degraded: tuple[str, ...] = ()
    generation: int = -1


@dataclass(frozen=True, slots=True)
class Failure:
    """The model that should serve, and why it does not."""

    model: str
    reason: Reason


class Readiness:
    """Watches the aliases in a thread of its own, so that `/livez` answers meanwhile.

    Args:
        runners: what serves; nobody else changes it.
        configuration: which capabilities are required.
        lost: capabilities whose process is not there at this moment.
        losses: what else is gone that the rest stands in for, in words.
    """

    def __init__(
        self,
        runners: RunnerLibrary,
        configuration: Configuration,
        lost: Callable[[], Collection[Capability]] = frozenset,
        losses: Callable[[], Sequence[str]] = tuple,
    ) -> None:
        self._runners = runners
        self._configuration = configuration
        self._lost = lost
        self._losses = losses
        self._proven: set[str] = set()
        self._failures: dict[Capability, Failure] = {}
        self._absent: frozenset[Capability] = frozenset()
        self._looks = 0
        self._warm = False
        self._closed = threading.Event()
        self._patience = configuration.models.start_timeout_s
        self._rehearsals: dict[str, tuple[AnyRunner, Future[None]]] = {}

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
        words = {capability: f"{capability.alias}: {_words(reason)}" for capability, reason in serving.missing.items()}
        words |= {capability: f"{capability.alias}: its process is not there" for capability in lost}
        required = self._configuration.models.required
        reasons = [text for capability, text in words.items() if capability in required]
        degraded = [text for capability, text in words.items() if capability not in required]
        degraded += [
            f"{capability.alias}: {failure.model} failed ({failure.reason.code}), "
            f"{serving.runners[capability].tag} serves on"
            for capability, failure in self._failures.items()
            if serving.has(capability)
        ]
        return State(not reasons, tuple(reasons), (*degraded, *self._losses()), serving.generation)

    def turn(self) -> None:
        """Bring into service what the aliases name now, as far as it runs; in place of the rest, what served."""
        current, candidate = self._runners.serving, self._runners.candidate()
        runners: dict[Capability, AnyRunner] = {}
        missing: dict[Capability, Reason] = {}
        failures: dict[Capability, Failure] = {}
        for capability in Capability:
            before, runner = current.runners.get(capability), self._belated(candidate.runners.get(capability))
            served = before if before and before.tag in self._proven else None
            reason = self._prove(capability, runner) if runner else candidate.missing[capability]
            if runner and not reason:
                runners[capability] = runner
                continue
            if runner and runner is not before and runner.tag not in self._rehearsals:
                self._runners.discard(runner)
            if served:
                runners[capability] = served
            elif reason:
                missing[capability] = reason
            if reason and (runner or served):
                failures[capability] = Failure(runner.tag if runner else "what was activated", reason)
        self._runners.adopt(Serving(candidate.generation, runners, missing))
        self._failures = failures
        self._proven &= {runner.tag for runner in runners.values()}
        wanted = {runner.tag for runner in candidate.runners.values()}
        for tag in self._rehearsals.keys() - wanted:
            self._runners.discard(self._rehearsals.pop(tag)[0])

    def _watch(self, when_warm: Callable[[], object]) -> None:
        while not self._closed.is_set():
            try:
                self._look(when_warm)
            except ModelError as error:  # the alias file is damaged: what serves, serves on
                log.warning("aliases cannot be read", code=error.code)
            except Exception:
                log.exception("looking at the aliases failed")
            self._closed.wait(LOOK_SECONDS)

    def _look(self, when_warm: Callable[[], object]) -> None:
        self._looks += 1
        if self._forget_returned() or not self._warm or self._runners.stale or self._worth_retrying():
            before = self.state
            self.turn()
            if not self._warm and not self._waits_for_a_process():
                when_warm()
                self._warm = True
            if (state := self.state) != before:
                log.info(
                    "warm-up done" if self._warm else "waiting for processes",
                    ready=state.ready,
                    reasons=state.reasons,
                    degraded=state.degraded,
                )
        self._runners.sweep()

    def _forget_returned(self) -> bool:
        """Whether a process came back: what ran in the one before it proves nothing."""
        lost, before = frozenset(self._lost()), self._absent
        self._absent = lost
        for capability in before - lost:
            if runner := self._runners.serving.runners.get(capability):
                self._proven.discard(runner.tag)
        return bool(before - lost)

    def _waits_for_a_process(self) -> bool:
        """At the start: for a required one as long as it takes, for others a while."""
        away = {capability for capability, failure in self._failures.items() if failure.reason.passing}
        return bool(away & set(self._configuration.models.required)) or (bool(away) and self._looks < START_LOOKS)

    def _worth_retrying(self) -> bool:
        return bool(self._failures) and self._looks % RETRY_LOOKS == 0

    def _prove(self, capability: Capability, runner: AnyRunner) -> Reason | None:
        """Run once, unless it has; why it does not work."""
        if runner.tag in self._proven:
            return None
        try:
            self._rehearse(runner)
        except TimeoutError:
            log.warning("a model takes too long to start", capability=capability.value)
            return Reason("start_timeout", f"{capability.alias} has not run within {self._patience:g} s")
        except FaceSocialError as error:
            if not isinstance(error, NotReady):
                log.exception("a model does not run", capability=capability.value)
            return Reason.of(error)
        except Exception:
            log.exception("a model does not run", capability=capability.value)
            return Reason("internal", f"the model of {capability.alias} does not run")
        self._proven.add(runner.tag)
        return None

    def _rehearse(self, runner: AnyRunner) -> None:
        """In a thread, for it may take for ever; the next look finds the same rehearsal.

        Raises:
            TimeoutError: it takes too long.
        """
        if runner.tag not in self._rehearsals:
            rehearsal: Future[None] = Future()
            self._rehearsals[runner.tag] = runner, rehearsal
            threading.Thread(target=_settle, args=(rehearsal, runner), name="rehearsal", daemon=True).start()
        _, rehearsal = self._rehearsals[runner.tag]
        if wait([rehearsal], self._patience).not_done:
            raise TimeoutError
        del self._rehearsals[runner.tag]
        try:
            rehearsal.result()
        finally:
            del rehearsal  # an error holds this frame

    def _belated(self, runner: AnyRunner | None) -> AnyRunner | None:
        """The runner of the same model whose rehearsal still runs, in place of a new one."""
        return self._rehearsals[runner.tag][0] if runner and runner.tag in self._rehearsals else runner


def _settle(rehearsal: Future[None], runner: AnyRunner) -> None:
    try:
        rehearse(runner)
    except BaseException as error:  # noqa: BLE001 — whoever waits raises it
        rehearsal.set_exception(error)
    else:
        rehearsal.set_result(None)
    finally:
        del rehearsal, runner  # an error holds this frame


def _words(reason: Reason) -> str:
    return "not installed" if reason.code == ModelNotInstalled.code else reason.code


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
