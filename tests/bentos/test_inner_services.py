"""What BentoML starts beside the edge: sockets that only we may reach, no pickle, a supervisor behind a closed door."""

from __future__ import annotations

import pickle
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import psutil
import pytest
from bentoml._internal.utils.circus import Arbiter
from circus.client import CircusClient
from circus.exc import CallError
from circus.watcher import Watcher

from bentos.server import confine_supervisor
from cli.process import Service
from facesocial.errors import ConfigurationError
from services.edge.pickles import PICKLE
from tests.canary import Canary

INNER = "--service-name Inner"


def inner_process(pair: Service) -> psutil.Process:
    """The process of the inner service."""
    children = psutil.Process(pair.pid).children(recursive=True)
    return next(child for child in children if INNER in " ".join(child.cmdline()))


def inner_socket(pair: Service) -> Path:
    """Where it listens."""
    names = {Path(str(entry.laddr)) for entry in inner_process(pair).net_connections("unix")}
    (socket,) = (name for name in names if name.suffix == ".sock")
    return socket


def inner_client(pair: Service) -> httpx.Client:
    """Calls the inner service as BentoML does."""
    transport = httpx.HTTPTransport(uds=str(inner_socket(pair)))
    return httpx.Client(transport=transport, base_url="http://inner", timeout=60)


def watchers(endpoint: str, seconds: float) -> set[str]:
    """Ask circus for the list of what it runs."""
    client = CircusClient(endpoint=endpoint, timeout=seconds)
    try:
        return set(client.send_message("list")["watchers"])
    finally:
        client.stop()


@pytest.mark.integration
@pytest.mark.parametrize("content_type", [PICKLE, PICKLE.upper(), f"{PICKLE};x=y"])
def test_s1_no_inner_service_opens_a_pickle(pair: Service, tmp_path: Path, content_type: str) -> None:
    """Though BentoML itself would have it so; JSON on the same socket is answered."""
    with inner_client(pair) as client:
        body = pickle.dumps({"number": Canary(tmp_path / "canary")})
        response = client.post("/double", content=body, headers={"Content-Type": content_type})
        assert response.status_code == 415
        assert not (tmp_path / "canary").exists()
        assert client.post("/double", json={"number": 4}).text == "8"


@pytest.mark.integration
def test_s1_the_folder_of_the_sockets_is_ours_alone(pair: Service) -> None:
    assert inner_socket(pair).parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.integration
def test_s4_nobody_listens_on_tcp_but_the_edge(pair: Service) -> None:
    tree = [psutil.Process(pair.pid), *psutil.Process(pair.pid).children(recursive=True)]
    listening = {
        entry.laddr.port
        for process in tree
        for entry in process.net_connections("inet")
        if entry.status in (psutil.CONN_LISTEN, psutil.CONN_NONE)
    }
    assert listening == {urlsplit(pair.url).port}


@pytest.mark.integration
def test_s4_the_supervisor_takes_commands_through_the_closed_folder_only(pair: Service, runtime: Path) -> None:
    """`list` on the one TCP port is met with silence; on the socket in the folder it is answered (the control)."""
    with pytest.raises(CallError, match="Timed out"):
        watchers(pair.url.replace("http", "tcp"), seconds=1)
    assert watchers(f"ipc://{runtime / 'endpoint'}", seconds=30) == {"service", "service_inner"}


@pytest.mark.chaos
def test_r22_a_killed_inner_service_is_started_again(pair: Service) -> None:
    """The call waits in the socket's backlog; the supervisor's pace is held by a test below."""
    killed = inner_process(pair)
    with inner_client(pair) as client:
        killed.send_signal(signal.SIGKILL)
        killed.wait(10)
        assert client.post("/double", json={"number": 4}, timeout=120).text == "8"
    assert inner_process(pair).pid != killed.pid


@pytest.mark.chaos
def test_r19_what_the_edge_still_answers_may_need_an_inner_service(leaving_pair: Service, tmp_path: Path) -> None:
    """Six requests that call the inner service after SIGTERM, by new connections; then nothing is left."""
    tree = [psutil.Process(leaving_pair.pid), *psutil.Process(leaving_pair.pid).children(recursive=True)]
    folder = inner_socket(leaving_pair).parent
    with ThreadPoolExecutor(6) as callers, httpx.Client(base_url=leaving_pair.url, timeout=60) as client:
        answers = [callers.submit(client.post, "/double_at_last", json={"number": 4}) for _ in range(6)]
        while not (tmp_path / "begun").exists():
            time.sleep(0.05)
        time.sleep(1)  # the other five begin, too
        tree[0].terminate()
        time.sleep(1)  # what would be gone at once is gone
        (tmp_path / "go").touch()
        assert [answer.result().text for answer in answers] == ["8"] * 6
    _, alive = psutil.wait_procs(tree, timeout=30)
    assert alive == []
    assert not folder.exists()


@pytest.fixture
def arbiter(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What circus's constructor is given."""
    given: dict[str, Any] = {}
    monkeypatch.setattr(Arbiter, "__init__", lambda self, *arguments, **options: given.update(options))
    return given


@pytest.mark.unit
def test_the_supervisor_looks_every_second_and_listens_in_our_folder(arbiter: dict[str, Any], tmp_path: Path) -> None:
    confine_supervisor(tmp_path)
    theirs = {"PROMETHEUS_MULTIPROC_DIR": "/home/of/all", "A": "b"}
    watcher = Watcher("inner", "true", respawn=False, env=theirs)  # as BentoML has it in a container
    Arbiter([watcher], endpoint="tcp://127.0.0.1:1", pubsub_endpoint="tcp://127.0.0.1:2", check_delay=10, sockets=[])
    assert arbiter == {
        "endpoint": f"ipc://{tmp_path}/endpoint",
        "pubsub_endpoint": f"ipc://{tmp_path}/pubsub_endpoint",
        "check_delay": 1,
        "sockets": [],
    }
    assert watcher.respawn
    assert watcher.env == {"PROMETHEUS_MULTIPROC_DIR": f"{tmp_path}/prometheus_multiproc_dir", "A": "b"}
    assert (tmp_path / "prometheus_multiproc_dir").is_dir()


@pytest.mark.unit
@pytest.mark.parametrize("mode", [0o755, 0o710, 0o701, 0o770])
def test_a_folder_that_others_may_enter_is_refused(arbiter: dict[str, Any], tmp_path: Path, mode: int) -> None:
    tmp_path.chmod(mode)
    with pytest.raises(ConfigurationError, match="mode 0700"):
        confine_supervisor(tmp_path)
