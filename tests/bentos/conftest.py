"""Services with less than everything installed, and what a running one uses."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from cli.process import Service
from facesocial.configuration import RateSettings
from models.catalogue import load_catalogue
from models.library import Library
from models.pull import Installer
from models.store import Store
from services.operators import operator_token
from tests.bentos import processes
from tests.wire import HEAD_SECONDS


@contextmanager
def running(home: Path, **variables: str) -> Iterator[Service]:
    """A service on the model store in `home` and nothing else, as soon as its warm-up is done, ready or not."""
    alone = {"BENTOML_HOME": str(home), "FACESOCIAL__MODELS__STARTER": "false"}
    with Service.start(
        {**alone, **variables}, until=lambda service: b"warm-up done" in service.log.read_bytes()
    ) as service:
        yield service


@pytest.fixture(scope="session")
def empty_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Nothing is installed."""
    folder = tmp_path_factory.mktemp("empty")
    with running(folder / "bentoml") as service:
        yield service


@pytest.fixture(scope="session")
def detecting_service(mirror: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Only the detector is installed."""
    folder = tmp_path_factory.mktemp("detecting")
    home = folder / "bentoml"
    library = Library(Store(home))
    spec = next(spec for spec in load_catalogue().pack("permissive") if spec.alias == "face-detection")
    Installer(library).pull((spec,), accept_licence=True)
    installed = library.store.find(spec)
    assert installed
    library.aliases.activate("face-detection", installed.tag)
    with running(home) as service:
        yield service


@dataclass(frozen=True, slots=True)
class Target:
    """A service to be ill-treated, and its operators' token."""

    service: Service
    token: str


@pytest.fixture(scope="session")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """The starter models, in a store of its own; nobody is too fast, and nothing is answered from memory.

    Its processes obey `tests.bentos.trim`.
    """
    home = tmp_path_factory.mktemp("target") / "bentoml"
    variables = {"MODELS__STARTER": "true", "CACHE__ENABLED": "false", "RATES__ADMIN": "1000000"}
    variables["RATES__ENDPOINTS"] = json.dumps(dict.fromkeys(RateSettings().endpoints, 1_000_000))
    with ExitStack() as stack:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("cli.serve.TARGET", "tests.bentos.trimmed:FaceSocial")
            own = {f"FACESOCIAL__{name}": value for name, value in variables.items()}
            service = stack.enter_context(running(home, **own))
        yield Target(service, operator_token(home / "facesocial"))


@pytest.fixture(scope="session")
def client(service: Service) -> Iterator[httpx.Client]:
    """Of the full service."""
    with httpx.Client(base_url=service.url, timeout=60) as client:
        yield client


@pytest.fixture(scope="session")
def resident(service: Service) -> Callable[[], int]:
    """Bytes of RSS of the service's process tree."""
    return lambda: processes.resident(service.pid)


@pytest.fixture(scope="session")
def picture(six_faces: Path) -> bytes:
    """The group picture as sent."""
    return six_faces.read_bytes()


@pytest.fixture(scope="session")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the sockets of `pair`."""
    return tmp_path_factory.mktemp("runtime")


@contextmanager
def serving_pair(runtime: Path) -> Iterator[Service]:
    """The services of `pair.py`: one on the public port, one on a Unix socket. A head has `HEAD_SECONDS`."""
    variables = {"FACESOCIAL_RUNTIME": str(runtime), "FACESOCIAL__SERVER__HEADER_TIMEOUT_S": str(HEAD_SECONDS)}
    with ExitStack() as stack:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("cli.serve.TARGET", "tests.bentos.pair:Outer")
            service = stack.enter_context(Service.start(variables, until=lives))
        yield service


@pytest.fixture(scope="session")
def pair(runtime: Path) -> Iterator[Service]:
    """One for the tests that leave it as it is."""
    with serving_pair(runtime) as service:
        yield service


@pytest.fixture
def leaving_pair(tmp_path: Path) -> Iterator[Service]:
    """One for a test that ends it; its runtime folder is `tmp_path`."""
    with serving_pair(tmp_path) as service:
        yield service


def lives(service: Service) -> bool:
    """Whether it answers."""
    try:
        return httpx.get(f"{service.url}/livez", timeout=60).status_code == 200
    except httpx.TransportError:
        return False
