"""A runner at the end of a line answers as the one at hand; what is asked wrongly is refused by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bentos.composition import Parts
from cli.bench.accuracy import open_picture
from facesocial import wire
from facesocial.capabilities import Capability, Task
from facesocial.configuration import CpuSettings
from facesocial.errors import FaceSocialError, ModelError, ModelNotInstalled, ProcessLost, ServiceError
from models.library import Library
from runners.library import RunnerLibrary, local_builder
from runners.remote import Bench, DetectionCall, FaceCall, RemoteRunner, Retirement, remote_builder
from services.pipeline.pipeline import Pipeline
from vram_policy import CpuArbiter


def line(bench: Bench) -> Callable[[bytes], bytes]:
    """As the inner service replies, without the process."""

    def send(content: bytes) -> bytes:
        try:
            return wire.reply(bench.answer(content))
        except FaceSocialError as error:
            return wire.refusal(error)

    return send


@pytest.fixture
def benches(library: Library) -> dict[Capability, Bench]:
    """One per capability, with real models."""
    return {c: Bench(c, library, local_builder(CpuArbiter(), CpuSettings())) for c in Capability}


@pytest.mark.integration
def test_answers_are_those_of_local_runners(
    library: Library, benches: dict[Capability, Bench], parts: Parts, six_faces: Path
) -> None:
    """Every capability on the group picture: the same boxes, vectors, scores, meshes."""
    remote = RunnerLibrary(library, remote_builder({c: line(bench) for c, bench in benches.items()}))
    picture = six_faces.read_bytes()
    here = parts.pipeline.analyze(open_picture(picture), list(Task))
    there = Pipeline(remote, 2).analyze(open_picture(picture), list(Task))
    assert there.models == here.models
    assert there.devices == here.devices
    assert len(there.faces) == len(here.faces) == 6
    for a, b in zip(here.faces, there.faces, strict=True):
        assert wire.encode((a.face, a.results)) == wire.encode((b.face, b.results))


@pytest.mark.integration
def test_a_retired_model_is_closed_there_and_opened_again_when_called(
    library: Library, benches: dict[Capability, Bench], six_faces: Path
) -> None:
    bench = benches[Capability.RECOGNITION]
    runner = RunnerLibrary(library, remote_builder(dict.fromkeys(Capability, line(bench)))).of(Capability.RECOGNITION)
    view = (np.zeros((112, 112, 3), np.uint8),)
    before = runner.run([view]).results[0]
    assert list(bench._runners) == [runner.tag]
    runner.retire()
    assert bench._runners == {}
    assert np.array_equal(runner.run([view]).results[0].vector, before.vector)


@pytest.mark.integration
def test_what_is_asked_wrongly_is_refused(library: Library, benches: dict[Capability, Bench]) -> None:
    """A strange tag, another capability's tag, detection of an embedder, no call at all."""
    detection = library.resolve(Capability.DETECTION).tag
    embedder = library.resolve(Capability.RECOGNITION).tag
    board = np.zeros((8, 8, 3), np.uint8)
    answer = benches[Capability.RECOGNITION].answer
    for call, error in (
        (FaceCall("nobody:1", ()), ModelNotInstalled),
        (FaceCall(detection, ()), ModelError),
        (DetectionCall(embedder, board, 0.5, 1), ModelError),
    ):
        with pytest.raises(error):
            answer(wire.encode(call))
    with pytest.raises(ServiceError):
        answer(b"no call")
    assert answer(wire.encode(Retirement("nobody:1"))) is None


@pytest.mark.unit
def test_no_faces_no_call() -> None:
    def refuse(content: bytes) -> bytes:
        pytest.fail("called")

    sight: Any = None
    assert RemoteRunner(sight, "a:1", object, refuse).run([]).results == ()


@pytest.mark.unit
def test_an_error_of_the_other_process_is_raised_here() -> None:
    sight: Any = None
    runner = RemoteRunner(sight, "a:1", object, lambda _: wire.refusal(ProcessLost("gone")))
    with pytest.raises(FaceSocialError, match="gone"):
        runner.run([(np.zeros((1, 1, 3), np.uint8),)])


@pytest.mark.unit
def test_retiring_what_a_dead_process_held_is_no_error() -> None:
    def refuse(content: bytes) -> bytes:
        raise ProcessLost("gone")

    sight: Any = None
    RemoteRunner(sight, "a:1", object, refuse).retire()
    with pytest.raises(ProcessLost):
        RemoteRunner(sight, "a:1", object, refuse).run([(np.zeros((1, 1, 3), np.uint8),)])
