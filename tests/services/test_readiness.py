"""Ready after every installed capability ran once; what is missing is named, and keeps us from being ready or not."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from bentos.composition import Parts
from facesocial.capabilities import Capability
from facesocial.configuration import Configuration, ModelSettings
from facesocial.errors import ModelIntegrityError, ModelNotInstalled
from services.pipeline.picture import Picture
from services.readiness import Readiness, State

pytestmark = pytest.mark.unit


class Installed:
    """Runners of some capabilities; others are missing or broken."""

    def __init__(self, missing: set[Capability], broken: dict[Capability, Exception]) -> None:
        self.missing, self.broken = missing, broken

    def of(self, capability: Capability) -> None:
        """Raises what `capability` raises."""
        if capability in self.missing:
            raise ModelNotInstalled("nothing")
        if capability in self.broken:
            raise self.broken[capability]


class Runs:
    """A pipeline that asks `installed` and counts."""

    def __init__(self, installed: Installed) -> None:
        self.installed, self.described = installed, 0

    def detect(self, picture: Picture, min_score: float | None, max_faces: int) -> None:
        """The blank picture arrives decoded."""
        assert picture.at(1).shape == (480, 640, 3)
        self.installed.of(Capability.DETECTION)

    def describe(self, picture: Picture, found: Any, tasks: Any) -> None:
        """One face, one task."""
        self.described += len(found.faces) * len(tasks)


def warmed(
    missing: set[Capability] = frozenset(),  # type: ignore[assignment]
    broken: dict[Capability, Exception] | None = None,
    required: tuple[Capability, ...] = (Capability.DETECTION,),
) -> State:
    readiness, installed = Readiness(), Installed(missing, broken or {})
    configuration = Configuration(models=ModelSettings(required=required))
    readiness.warm_up(installed, Runs(installed), configuration)  # type: ignore[arg-type]
    for thread in threading.enumerate():
        if thread.name == "warm-up":
            thread.join(30)
    return readiness.state


def test_not_ready_before() -> None:
    assert Readiness().state == State(ready=False, reasons=("starting",))


def test_ready_when_everything_ran() -> None:
    assert warmed() == State(ready=True)


def test_a_missing_extra_degrades() -> None:
    assert warmed({Capability.MESH}) == State(ready=True, degraded=("face-mesh: not installed",))


def test_a_missing_detector_keeps_us_from_being_ready() -> None:
    assert warmed({Capability.DETECTION}) == State(ready=False, reasons=("face-detection: not installed",))


def test_the_operator_says_what_is_required() -> None:
    state = warmed({Capability.LIVENESS, Capability.MESH}, required=(Capability.DETECTION, Capability.LIVENESS))
    assert state == State(False, ("face-liveness: not installed",), ("face-mesh: not installed",))


def test_a_broken_model_is_named_without_telling_more() -> None:
    broken = {Capability.DEEPFAKE: ModelIntegrityError("/a/path"), Capability.MESH: RuntimeError("onnx: /a/path")}
    state = warmed(broken=broken)
    assert state == State(True, (), ("face-deepfake: model_integrity", "face-mesh: internal"))


@pytest.mark.integration
def test_the_real_models_all_warm_up(parts: Parts) -> None:
    readiness = Readiness()
    readiness._warm_up(parts.runners, parts.pipeline, Configuration())
    assert readiness.state == State(ready=True)
