"""A service for which nothing was ever pulled."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from cli.process import Service
from facesocial.capabilities import Capability
from models import starter
from models.library import Library
from models.store import Store
from tests.bentos.conftest import running
from tests.pictures import of_the_six

pytestmark = pytest.mark.integration

TERMS = "research and evaluation; commercial use: no"
ROUTES = ("detect", "analyze", "embed", "liveness", "deepfake", "demographics")


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running(tmp_path_factory.mktemp("alone") / "bentoml", FACESOCIAL__MODELS__STARTER="true") as service:
        yield service


@pytest.mark.parametrize("route", ROUTES)
def test_every_route_answers_and_says_on_what_terms(alone: Service, six_faces: Path, route: str) -> None:
    answer = alone.post(f"/v1/{route}", six_faces)
    assert len(answer["faces"]) == len(of_the_six(face["box"] for face in answer["faces"])) == 6
    assert answer["models"].keys() == answer["caveats"].keys()
    for alias, tag in answer["models"].items():
        assert tag.startswith("starter_")
        assert TERMS in answer["caveats"][alias]


def test_verify(alone: Service, data: Path) -> None:
    files = {f"image_{name}": (data / "people" / "obama.jpg").read_bytes() for name in "ab"}
    answer = httpx.post(f"{alone.url}/v1/verify", files=files, timeout=60).json()
    assert answer["same"] is True
    assert all(TERMS in caveat for caveat in answer["caveats"].values())


def test_the_log_says_so_and_the_store_has_them(alone: Service) -> None:
    log = alone.log.read_text()
    assert "starter models serve until others are pulled" in log
    assert TERMS in log
    models = httpx.get(f"{alone.url}/v1/models").json()["items"]
    assert {model["serves"] for model in models} == {c.alias for c in Capability if c is not Capability.MESH}


def test_forbidden_the_service_is_not_ready(tmp_path: Path) -> None:
    """Also where they were registered, or activated by name, before."""
    library = Library(Store(tmp_path / "bentoml"), starters=True)
    starter.register(library.store)
    library.aliases.activate("face-detection", "starter_detector")
    with running(tmp_path / "bentoml") as service:
        answer = httpx.get(f"{service.url}/readyz")
        assert answer.status_code == 503
        assert "face-detection" in answer.text
        models = httpx.get(f"{service.url}/v1/models").json()["items"]
        assert len(models) == 5
        assert not any(model["serves"] for model in models)
