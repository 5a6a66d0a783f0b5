"""The result cache over HTTP: the same question is answered once, any other is another one."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from cli.process import Service
from models.catalogue import load_catalogue
from models.library import Library
from models.pull import Installer
from models.store import Store
from services.operators import operator_token
from tests.bentos.conftest import running

pytestmark = pytest.mark.integration

DETECTORS = ("yunet_n_dynamic", "face_detection_yunet_2023mar")


@pytest.fixture(scope="module")
def library(mirror: Path, tmp_path_factory: pytest.TempPathFactory) -> Library:
    """Two detectors, of which the first serves."""
    library = Library(Store(tmp_path_factory.mktemp("cached") / "bentoml"))
    Installer(library).pull([load_catalogue().spec(name) for name in DETECTORS], accept_licence=True)
    library.aliases.activate("face-detection", DETECTORS[0])
    return library


@pytest.fixture(scope="module")
def service(library: Library) -> Iterator[Service]:
    """One that gives answers again."""
    with running(library.store.folder, FACESOCIAL__CACHE__ENABLED="true") as service:
        yield service


@pytest.fixture
def client(service: Service) -> Iterator[httpx.Client]:
    """From 127.0.0.1."""
    with httpx.Client(base_url=service.url, timeout=60) as client:
        yield client


def detect(client: httpx.Client, picture: bytes, **given: Any) -> dict[str, Any]:
    """The answer; `given` are headers and parameters."""
    headers = {"Content-Type": "image/*", **given.pop("headers", {})}
    response = client.post("/v1/detect", content=picture, headers=headers, **given)
    answer: dict[str, Any] = response.json()
    assert response.status_code == 200, answer
    assert response.headers["x-request-id"] == answer["request_id"]
    assert response.headers["cache-control"] == "no-store"
    return answer


def test_the_second_is_given_again(client: httpx.Client, picture: bytes) -> None:
    """The same faces, device, models; a new request id, the time of this request, `cached`."""
    first, second = detect(client, picture), detect(client, picture)
    assert (first["cached"], second["cached"]) == (False, True)
    assert len(first["faces"]) == 6
    assert first["request_id"] != second["request_id"]
    assert second["timing_ms"].keys() == {"upload"}
    for answer in (first, second):
        for own in ("cached", "request_id", "timing_ms"):
            del answer[own]
    assert second == first


def test_other_questions_are_not(service: Service, client: httpx.Client, library: Library, picture: bytes) -> None:
    """Other parameters, another declared type, another route, another address, a name; and who wants nothing kept."""
    detect(client, picture)
    token = operator_token(library.store.folder / "facesocial")
    for given in (
        {"params": {"max_faces": 2}},
        {"params": {"min_score": 0.5}},
        {"headers": {"Content-Type": "image/jpeg"}},
        {"headers": {"Authorization": f"Bearer {token}"}},
    ):
        assert detect(client, picture, **given)["cached"] is False, given
        assert detect(client, picture, **given)["cached"] is True, given
    for _ in range(2):
        assert detect(client, picture, headers={"Cache-Control": "no-store"})["cached"] is False
    elsewhere = httpx.HTTPTransport(local_address="127.0.0.2")
    with httpx.Client(base_url=service.url, timeout=60, transport=elsewhere) as other:
        assert detect(other, picture)["cached"] is False
    assert detect(client, picture)["cached"] is True


def test_what_another_model_would_say_is_not(client: httpx.Client, library: Library, picture: bytes) -> None:
    """Within a second of an activation the other one answers, and no answer of before is given again."""
    before = detect(client, picture)
    other = library.aliases.activate("face-detection", DETECTORS[1])
    answers = [detect(client, picture)]
    until = time.monotonic() + 30
    while answers[-1]["models"] == before["models"] and time.monotonic() < until:
        answers.append(detect(client, picture))
    assert answers[-1]["models"] == {"face-detection": other.tag}
    again = [answer["cached"] for answer in answers]
    assert again == sorted(again, reverse=True), "an old answer came after a new one"
    assert again[-1] is False
    assert detect(client, picture)["cached"] is True
