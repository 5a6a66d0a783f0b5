"""The catalogue and the adapters speak of the same architectures; what serves changes whole and is closed unused."""

from __future__ import annotations

import pytest

from facesocial.capabilities import Capability
from facesocial.errors import ModelIntegrityError, ModelNotInstalled
from models.catalogue import load_catalogue
from models.spec import ADAPTERS
from runners.library import DETECTORS, FACE_ADAPTERS, RunnerLibrary, detection_adapter, face_adapter
from tests.runners.fakes import FakeBuilder, FakeModels

pytestmark = pytest.mark.unit


def test_what_the_catalogue_serves_is_what_runners_read() -> None:
    """Nothing can be activated that the service cannot run, and nothing it can run is refused."""
    detectors = {(Capability.DETECTION, architecture) for architecture in DETECTORS}
    assert detectors | set(FACE_ADAPTERS) | {(Capability.MESH, "face_landmarker")} == ADAPTERS


def test_an_architecture_nobody_reads_is_refused() -> None:
    spec = load_catalogue().spec("mobilefacenet_foamliu").model_copy(update={"architecture": "tarot"})
    with pytest.raises(ModelIntegrityError, match="tarot"):
        face_adapter(spec)
    with pytest.raises(ModelIntegrityError, match="tarot"):
        detection_adapter(spec)


def test_what_is_not_installed_says_how_to_get_it() -> None:
    models, build = FakeModels(), FakeBuilder()
    models.activate(Capability.LIVENESS, None)
    library = RunnerLibrary(models, build)
    assert not library.has(Capability.LIVENESS)
    with pytest.raises(ModelNotInstalled, match="models pull"):
        library.of(Capability.LIVENESS)
    assert library.detector().tag == "detection:1"
    assert library.serving.generation == 2


def test_a_request_keeps_what_it_began_with_and_then_it_is_closed() -> None:
    """The old runner is retired when the last who uses it lets go, not before; the others are the same objects."""
    models, build = FakeModels(), FakeBuilder()
    library = RunnerLibrary(models, build)
    request = library.serving
    assert (library.stale, library.serving.generation) == (False, 1)
    models.activate(Capability.RECOGNITION, "recognition:2")
    assert (library.stale, library.serving.generation) == (True, 1)
    library.adopt(library.candidate())
    library.sweep()
    assert request.of(Capability.RECOGNITION).tag == "recognition:1"
    assert library.of(Capability.RECOGNITION).tag == "recognition:2"
    assert library.of(Capability.LIVENESS) is request.of(Capability.LIVENESS)
    assert build.built["recognition:1"].retired == 0
    del request
    library.sweep()
    library.sweep()
    assert build.built["recognition:1"].retired == 1
    assert {tag: runner.retired for tag, runner in build.built.items() if runner.retired} == {"recognition:1": 1}


def test_what_serves_again_is_not_closed() -> None:
    """There and back before anybody swept."""
    models, build = FakeModels(), FakeBuilder()
    library = RunnerLibrary(models, build)
    for tag in ("recognition:2", "recognition:1"):
        models.activate(Capability.RECOGNITION, tag)
        library.adopt(library.candidate())
    library.sweep()
    assert build.built["recognition:1"].retired == 0
    assert build.built["recognition:2"].retired == 1
