"""R13, R34: another version of a model comes into service under traffic, and one that is damaged never does."""

from __future__ import annotations

import itertools
import json
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from cli.process import Service
from facesocial.errors import FaceSocialError
from models.catalogue import load_catalogue
from models.library import Library
from models.pull import Installer
from models.store import Store
from tests.bentos.processes import crowd

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]

PAIRS = {
    "face-detection": ("yunet_n_dynamic", "face_detection_yunet_2023mar"),
    "face-recognition": ("mobilefacenet_foamliu", "mobilefacenet_hyeonjun"),
}
"""Alias → two models that do the same."""


@pytest.fixture(scope="module")
def store(mirror: Path, tmp_path_factory: pytest.TempPathFactory) -> Library:
    """A store of its own with both models of each pair."""
    library = Library(Store(tmp_path_factory.mktemp("lifecycle") / "bentoml"))
    specs = [load_catalogue().spec(name) for pair in PAIRS.values() for name in pair]
    Installer(library).pull(specs, accept_licence=True)
    return library


@pytest.fixture
def own(store: Library, tmp_path: Path) -> Library:
    """A copy to damage."""
    shutil.copytree(store.store.folder, tmp_path / "bentoml")
    return Library(Store(tmp_path / "bentoml"))


def until(condition: Callable[[], bool], seconds: float) -> None:
    """Poll."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def generation(service: Service) -> int:
    """Of the aliases in force."""
    return int(httpx.get(f"{service.url}/readyz", timeout=30).json()["generation"])


def switches(library: Library) -> Iterator[Callable[[], object]]:
    """There by activation, back by rollback, one alias after the other."""
    for alias, (_, second) in itertools.cycle(PAIRS.items()):
        yield lambda alias=alias, second=second: library.aliases.activate(alias, second)  # type: ignore[misc]
        yield lambda alias=alias: library.aliases.rollback(alias)  # type: ignore[misc]


@pytest.mark.parametrize(
    ("placement", "requests"),
    [
        ("embedded", 500),
        pytest.param("colocated", 200, marks=pytest.mark.load),
        pytest.param("isolated", 200, marks=pytest.mark.load),
    ],
)
def test_r13_no_request_fails_while_versions_change(
    own: Library, six_faces: Path, placement: str, requests: int
) -> None:
    """8 clients, activation and rollback of both aliases again and again; every answer is of one model, whole."""
    contracts = {model.tag: model.spec.contract_id for model in own.installed()}
    variables = {
        "BENTOML_HOME": str(own.store.folder),
        "FACESOCIAL__PLACEMENT": placement,
        "FACESOCIAL__MODELS__STARTER": "false",
    }
    with Service.start(variables) as service:
        switched = 0
        with crowd(f"{service.url}/v1/embed", six_faces.read_bytes(), 8) as people:
            for switch in switches(own):
                switch()
                switched += 1
                wanted = own.generation()
                until(lambda wanted=wanted: generation(service) == wanted, 30)  # type: ignore[misc]
                if len(people.answers) >= requests and switched >= 4:
                    break
        assert {answer.status for answer in people.answers} == {200}
        assert httpx.get(f"{service.url}/readyz").json()["degraded"] == [
            f"face-{name}: not installed" for name in ("liveness", "deepfake", "demographics", "mesh")
        ]
    served: dict[str, set[str]] = {alias: set() for alias in PAIRS}
    for answer in people.answers:
        models, faces = answer.body["models"], answer.body["faces"]
        assert isinstance(models, dict)
        assert isinstance(faces, list)
        assert len(faces) == 6
        assert {face["embedding"]["contract"] for face in faces} == {contracts[models["face-recognition"]]}
        for alias, tag in models.items():
            served[alias].add(tag.partition(":")[0])
    assert served == {alias: set(pair) for alias, pair in PAIRS.items()}


def test_r34_a_damaged_version_never_serves_and_what_served_serves_on(own: Library, six_faces: Path) -> None:
    """Not by activation, and not when its file changes after it; with a sound one all is well again."""
    damaged = own.store.get("mobilefacenet_hyeonjun")
    with Service.start({"BENTOML_HOME": str(own.store.folder)}) as service:
        before = service.post("/v1/embed", six_faces)["models"]
        damaged.path.write_bytes(damaged.path.read_bytes()[:-1] + b"x")
        with pytest.raises(FaceSocialError, match="changed since it was registered"):
            own.aliases.activate("face-recognition", damaged.tag)
        file = own.store.folder / "facesocial" / "aliases.json"
        table = json.loads(file.read_text())
        table["aliases"]["face-recognition"]["tag"] = damaged.tag
        table["generation"] += 1
        file.write_text(json.dumps(table))
        until(lambda: generation(service) == table["generation"], 30)
        state = httpx.get(f"{service.url}/readyz").json()
        kept = before["face-recognition"]
        words = f"face-recognition: {damaged.tag} failed (model_integrity), {kept} serves on"
        assert state["ready"] is True
        assert words in state["degraded"]
        assert service.post("/v1/embed", six_faces)["models"] == before
        own.aliases.activate("face-recognition", "mobilefacenet_foamliu")
        until(lambda: words not in httpx.get(f"{service.url}/readyz").json()["degraded"], 30)


def test_r34_a_required_model_that_changed_is_not_started_with(own: Library) -> None:
    serving = own.store.get("yunet_n_dynamic")
    serving.path.write_bytes(serving.path.read_bytes()[:-1] + b"x")
    with (
        pytest.raises(FaceSocialError, match="changed since it was registered"),
        Service.start({"BENTOML_HOME": str(own.store.folder)}),
    ):
        pytest.fail("it started")
