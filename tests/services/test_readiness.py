"""What is ready, why not, and how a model comes into service while another answers."""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable, Iterator

import pytest
import structlog

from bentos.composition import Parts
from facesocial.capabilities import Capability
from facesocial.configuration import Configuration, ModelSettings
from facesocial.errors import ModelIntegrityError, NotReady, ProcessLost
from runners.library import RunnerLibrary
from services.readiness import START_LOOKS, Readiness, State, rehearse
from tests.runners.fakes import FakeBuilder, FakeDetector, FakeModels

pytestmark = pytest.mark.unit

EMBEDDER = Capability.RECOGNITION


@pytest.fixture(autouse=True)
def captured() -> Iterator[None]:
    """Log lines are not drawn: structlog's own renderer keeps the frames of a traceback."""
    with structlog.testing.capture_logs():
        yield


class Stage:
    """A readiness whose models do what they are told."""

    def __init__(self, *required: Capability) -> None:
        self.models, self.build = FakeModels(), FakeBuilder()
        self.settings = ModelSettings(required=required or (Capability.DETECTION,))
        self.lost: set[Capability] = set()

    def start(self) -> Readiness:
        """After its first turn."""
        self.runners = RunnerLibrary(self.models, self.build)
        settings = Configuration(models=self.settings)
        readiness = Readiness(self.runners, settings, lambda: self.lost)
        readiness.turn()
        readiness._warm = True
        return readiness


def fail(error: Exception) -> Callable[[], None]:
    """Something that raises a new one each time: a raised error holds on to the frames it passed."""

    def first() -> None:
        raise type(error)(*error.args)

    return first


def test_not_ready_before_anything_ran() -> None:
    runners = RunnerLibrary(FakeModels(), FakeBuilder())
    readiness = Readiness(runners, Configuration())
    assert readiness.state == State(ready=False, reasons=("warming up",))


def test_ready_when_everything_ran_once() -> None:
    stage = Stage()
    assert stage.start().state == State(ready=True, generation=1)
    assert {runner.runs for runner in stage.build.built.values()} == {1}


def test_a_missing_extra_degrades() -> None:
    stage = Stage()
    stage.models.activate(Capability.MESH, None)
    assert stage.start().state == State(True, (), ("face-mesh: not installed",), 2)


def test_a_missing_detector_keeps_us_from_being_ready() -> None:
    stage = Stage()
    stage.models.activate(Capability.DETECTION, None)
    assert stage.start().state == State(False, ("face-detection: not installed",), (), 2)


def test_the_operator_says_what_is_required() -> None:
    stage = Stage(Capability.DETECTION, Capability.LIVENESS)
    stage.models.activate(Capability.LIVENESS, None)
    stage.models.activate(Capability.MESH, None)
    state = stage.start().state
    assert state == State(False, ("face-liveness: not installed",), ("face-mesh: not installed",), 3)


def test_a_broken_model_is_named_without_telling_more() -> None:
    stage = Stage()
    stage.build.broken = {
        "deepfake:1": fail(ModelIntegrityError("/a/path")),
        "mesh:1": fail(RuntimeError("onnx: /a/path")),
    }
    state = stage.start().state
    assert state == State(True, (), ("face-deepfake: model_integrity", "face-mesh: internal"), 1)
    assert not stage.runners.has(Capability.DEEPFAKE)


def test_a_process_that_is_gone_is_named() -> None:
    stage = Stage()
    readiness = stage.start()
    stage.lost = {Capability.DETECTION, Capability.MESH}
    assert readiness.state.reasons == ("face-detection: its process is not there",)
    assert readiness.state.degraded == ("face-mesh: its process is not there",)
    stage.lost = set()
    assert readiness.state.ready


def test_r13_the_new_model_answers_after_it_ran_and_the_old_until_then() -> None:
    """While the new one is being rehearsed, requests are answered by the old one."""
    stage = Stage()
    readiness = stage.start()
    seen: list[str] = []
    stage.build.broken["recognition:2"] = lambda: seen.append(stage.runners.of(EMBEDDER).tag)
    stage.models.activate(EMBEDDER, "recognition:2")
    readiness.turn()
    assert seen == ["recognition:1"]
    assert stage.runners.of(EMBEDDER).tag == "recognition:2"
    assert stage.build.built["recognition:2"].runs == 1
    assert stage.build.built["liveness:1"].runs == 1, "what did not change is not run again"
    assert readiness.state == State(ready=True, generation=2)


def test_r13_a_failed_activation_keeps_the_old_model_and_says_so() -> None:
    stage = Stage(EMBEDDER)
    readiness = stage.start()
    stage.build.broken["recognition:2"] = fail(ModelIntegrityError("changed on disk"))
    stage.models.activate(EMBEDDER, "recognition:2")
    readiness.turn()
    assert stage.runners.of(EMBEDDER).tag == "recognition:1"
    words = "face-recognition: recognition:2 failed (model_integrity), recognition:1 serves on"
    assert readiness.state == State(True, (), (words,), 2)
    stage.runners.sweep()
    assert stage.build.built["recognition:2"].retired == 1
    stage.models.activate(EMBEDDER, "recognition:1")
    readiness.turn()
    assert readiness.state == State(ready=True, generation=3)


def test_a_model_that_comes_while_we_run_is_served() -> None:
    stage = Stage(Capability.DETECTION, Capability.LIVENESS)
    stage.models.activate(Capability.LIVENESS, None)
    readiness = stage.start()
    assert not readiness.state.ready
    stage.models.activate(Capability.LIVENESS, "liveness:1")
    readiness.turn()
    assert readiness.state == State(ready=True, generation=3)


def test_what_was_replaced_is_closed_though_something_else_is_missing() -> None:
    """No error, and so no frame, keeps a former `Serving` alive."""
    stage = Stage()
    stage.models.activate(Capability.MESH, None)
    stage.build.broken["deepfake:1"] = fail(ModelIntegrityError("damaged"))
    readiness = stage.start()
    for number in (2, 3, 4, 5):
        stage.models.activate(EMBEDDER, f"recognition:{number}")
        readiness.turn()
        stage.runners.sweep()
    retired = [stage.build.built[f"recognition:{number}"].retired for number in (1, 2, 3, 4, 5)]
    assert retired == [1, 1, 1, 1, 0]


def test_failing_again_and_again_keeps_nothing() -> None:
    stage = Stage()
    stage.build.broken["deepfake:1"] = fail(ModelIntegrityError("damaged"))
    readiness = stage.start()
    former = [weakref.ref(stage.runners.serving)]
    for _ in range(20):
        readiness.turn()
        former.append(weakref.ref(stage.runners.serving))
    assert sum(reference() is not None for reference in former) == 1


def test_r13_what_cannot_be_found_any_more_does_not_stop_what_serves() -> None:
    """A registration that is gone or damaged, met at an unrelated activation: reported, retried, served on."""
    stage = Stage()
    readiness = stage.start()
    del stage.models.tags[Capability.DETECTION]
    stage.models.activate(Capability.MESH, "mesh:2")
    readiness.turn()
    assert stage.runners.detector().tag == "detection:1"
    words = "face-detection: what was activated failed (model_not_installed), detection:1 serves on"
    assert readiness.state == State(True, (), (words,), 2)
    stage.models.tags[Capability.DETECTION] = "detection:1"
    readiness.turn()
    assert readiness.state == State(ready=True, generation=2)


def test_a_process_that_came_back_must_prove_itself_again() -> None:
    """Its model was damaged meanwhile: not ready, and requests are told, instead of failing one by one."""
    stage = Stage()
    readiness = stage.start()
    readiness._look(lambda: None)
    stage.lost = {Capability.DETECTION}
    readiness._look(lambda: None)
    stage.build.broken["detection:1"] = fail(ModelIntegrityError("damaged"))
    stage.lost = set()
    readiness._look(lambda: None)
    assert readiness.state.reasons == ("face-detection: model_integrity",)
    assert not stage.runners.has(Capability.DETECTION)


@pytest.mark.parametrize("required", [True, False])
def test_a_process_that_never_comes_is_waited_for_only_if_required(required: bool) -> None:
    stage = Stage(*([Capability.MESH] if required else []))
    stage.build.broken["mesh:1"] = fail(ProcessLost("not there"))
    runners = RunnerLibrary(stage.models, stage.build)
    readiness = Readiness(runners, Configuration(models=ModelSettings(required=stage.settings.required)))
    warm: list[bool] = []
    for _ in range(START_LOOKS):
        readiness._look(lambda: warm.append(True))
    assert bool(warm) is not required
    assert readiness.state.ready is not required
    if not required:
        assert readiness.state.degraded == ("face-mesh: not_ready",)
        with pytest.raises(NotReady):
            runners.of(Capability.MESH)


def until(condition: Callable[[], bool]) -> None:
    """Within ten seconds."""
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_the_watch_waits_for_processes_and_takes_activations() -> None:
    """In its own thread: not ready while a process is missing; then each change is served without being told."""
    stage = Stage()
    there = threading.Event()
    stage.build.broken["recognition:1"] = lambda: there.is_set() or fail(ProcessLost("not there"))()
    runners = RunnerLibrary(stage.models, stage.build)
    readiness = Readiness(runners, Configuration())
    warm: list[bool] = []
    readiness.start(lambda: warm.append(True))
    until(lambda: stage.build.built["mesh:1"].runs == 1)
    assert readiness.state.reasons == ("warming up",)
    assert warm == []
    there.set()
    until(lambda: readiness.state.ready)
    until(lambda: warm == [True])
    stage.models.activate(Capability.MESH, "mesh:2")
    until(lambda: runners.of(Capability.MESH).tag == "mesh:2")
    until(lambda: stage.build.built["mesh:1"].retired == 1)
    readiness.close()


@pytest.mark.integration
def test_the_real_models_all_run(parts: Parts) -> None:
    assert parts.runners.serving.runners.keys() == set(Capability)
    for runner in parts.runners.serving.runners.values():
        rehearse(runner)


@pytest.mark.parametrize(("timeout", "passes"), [(0.25, False), (1.5, True)])
def test_r23_a_model_that_takes_too_long_to_start_has_failed_until_it_runs(timeout: float, passes: bool) -> None:
    """Half a second to start: a timeout of a quarter names the reason, one of a second and a half is ready in time."""
    stage = Stage()
    stage.build.broken["detection:1"] = lambda: time.sleep(0.5)
    stage.settings = ModelSettings(required=(Capability.DETECTION,), start_timeout_s=timeout)
    began = time.monotonic()
    readiness = stage.start()
    if passes:
        assert 0.5 <= time.monotonic() - began < 1.5
        assert readiness.state.ready
        return
    assert readiness.state.reasons == ("face-detection: start_timeout",)
    until = time.monotonic() + 5
    while not readiness.state.ready:
        assert time.monotonic() < until
        readiness.turn()
    served = stage.runners.serving.runners[Capability.DETECTION]
    assert isinstance(served, FakeDetector)
    assert served.runs == 1, "the rehearsal that was late is not begun anew"
