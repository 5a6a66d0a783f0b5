"""The one built bento in its three placements: the same answers, no TCP between processes, kill -9 of any of them."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import cv2
import httpx
import psutil
import pytest

from bentos.placement import LANE, PIPELINE, runner_name
from cli.process import Service
from facesocial.capabilities import Capability
from models.library import Library
from tests.bentos.processes import Crowd, crowd, workers

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

ROOT = Path(__file__).parents[2]
RUNNERS = {runner_name(capability) for capability in Capability}
PROCESSES = {
    "embedded": {"facesocial"},
    "colocated": {"facesocial", PIPELINE},
    "isolated": {"facesocial", PIPELINE, *RUNNERS},
}
TASKS = "embed,liveness,deepfake,demographics,mesh"


@pytest.fixture(scope="session")
def bento(library: Library) -> Iterator[str]:
    """The tag of a bento that scripts/build made in the tests' own store."""
    built = subprocess.run(["scripts/build"], cwd=ROOT, check=True, capture_output=True, text=True)
    tag = built.stdout.strip()
    yield tag
    subprocess.run([".venv/bin/bentoml", "delete", "--yes", tag], cwd=ROOT, check=True, capture_output=True)


@pytest.fixture(scope="session")
def face(six_faces: Path) -> bytes:
    """A small picture with faces, so that a crowd keeps every process busy."""
    image = cv2.imread(str(six_faces))
    assert image is not None
    return bytes(cv2.imencode(".jpg", cv2.resize(image, None, fx=0.5, fy=0.5))[1])


def answers(service: Service, picture: bytes) -> dict[str, Any]:
    """Of every route, without what differs from call to call."""
    said: dict[str, Any] = {}
    with httpx.Client(base_url=service.url, timeout=60) as client:
        for route, fields in (
            ("detect", {}),
            ("analyze", {"tasks": TASKS}),
            ("analyze", {"max_faces": 2}),
            ("embed", {"min_score": 0.9}),
            ("demographics", {"max_faces": 201}),
        ):
            response = client.post(f"/v1/{route}", files={"image": ("a", picture)}, data=fields)
            said[f"{route} {fields}"] = response.status_code, response.json()
        for name, files in (("verify", (picture, picture)), ("broken", (picture, picture[:3000]))):
            response = client.post("/v1/verify", files={"image_a": ("a", files[0]), "image_b": ("b", files[1])})
            said[name] = response.status_code, response.json()
        said["ready"] = client.get("/readyz").json()
    for answer in said.values():
        for body in answer if isinstance(answer, tuple) else ():
            for passing in ("request_id", "timing_ms") if isinstance(body, dict) else ():
                body.pop(passing, None)
    return said


def listening(service: Service) -> set[int]:
    """TCP and UDP ports that any of its processes listens on."""
    root = psutil.Process(service.pid)
    return {
        connection.laddr.port
        for process in (root, *root.children(recursive=True))
        for connection in process.net_connections("inet")
        if connection.status in (psutil.CONN_LISTEN, psutil.CONN_NONE)
    }


def sockets(service: Service) -> list[Path]:
    """Unix sockets of the inner services."""
    names = (str(entry.laddr) for entry in psutil.Process(service.pid).net_connections("unix"))
    return [Path(name) for name in names if name.endswith(".sock")]


def test_one_bento_says_the_same_in_each_placement(bento: str, six_faces: Path) -> None:
    """Faces, vectors, scores, devices, models and refusals; and S4: nobody listens on TCP but the public port."""
    said = {}
    for placement, names in PROCESSES.items():
        with Service.start({"FACESOCIAL__PLACEMENT": placement}, bento=bento) as service:
            assert workers(service).keys() == names
            said[placement] = answers(service, six_faces.read_bytes())
            assert listening(service) == {urlsplit(service.url).port}
            assert len(sockets(service)) == len(names) - 1
            assert {stat.S_IMODE(path.parent.stat().st_mode) for path in sockets(service)} <= {0o700}
    assert said["embedded"]["ready"]["ready"] is True
    assert [
        len(said["embedded"][f"analyze {fields}"][1]["faces"]) for fields in ({"tasks": TASKS}, {"max_faces": 2})
    ] == [
        6,
        2,
    ]
    assert said["embedded"]["broken"][1]["code"] == "image_truncated"
    assert said["colocated"] == said["embedded"]
    assert said["isolated"] == said["embedded"]


@pytest.fixture
def served(bento: str) -> Callable[..., Any]:
    """The built bento with these variables."""
    return lambda **variables: Service.start(variables, bento=bento)


def until(condition: Callable[[], bool], seconds: float) -> float:
    """Seconds it took to become true; poll."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds, "it did not come back"
        time.sleep(0.05)
    return time.monotonic() - began


def kill(service: Service, name: str, people: Crowd, usual: float, refused: bool) -> None:
    """kill -9 the process of a service under load; returns when requests are answered with 200 again.

    Who was waiting, or asks meanwhile, waits at most a second longer than is `usual` (s).
    """
    before = workers(service)[name].pid
    os.kill(before, signal.SIGKILL)
    killed = time.monotonic()
    until(lambda: workers(service).get(name, psutil.Process()).pid not in (before, os.getpid()), 10)
    until(lambda: any(a.status == 200 and a.began > killed + 2 for a in people.since(killed)), 60)
    met = people.since(killed)
    for answer in met:
        waited = answer.began + answer.seconds - max(answer.began, killed)
        assert waited < usual + 1, f"{name}: a request waited {waited:.2f} s"
        if answer.status != 200:
            assert (answer.status, answer.body["code"]) == (503, "not_ready")
    assert any(answer.status == 503 for answer in met) == refused, f"{name}: who met the gap?"


def warmed(people: Crowd) -> float:
    """After twenty answers: the longest (s)."""
    until(lambda: len(people.answers) >= 20, 60)
    assert {answer.status for answer in people.answers} == {200}
    return max(answer.seconds for answer in people.answers)


@pytest.mark.parametrize("placement", ["colocated", pytest.param("isolated", marks=pytest.mark.chaos)])
def test_r22_kill_9_of_each_inner_process_under_load(served: Callable[..., Any], face: bytes, placement: str) -> None:
    """No request hangs: each is answered, or refused with a typed 503 within a second; then the process is back."""
    with (
        served(FACESOCIAL__PLACEMENT=placement) as service,
        crowd(f"{service.url}/v1/analyze?tasks={TASKS}", face, 3) as people,
    ):
        usual = warmed(people)
        for name in sorted(PROCESSES[placement] - {"facesocial"}):
            kill(service, name, people, usual, refused=True)
        assert httpx.get(f"{service.url}/livez").status_code == 200
        until(lambda: bool(httpx.get(f"{service.url}/readyz").json()["ready"]), 30)


def test_r22_with_the_lane_nobody_notices(served: Callable[..., Any], face: bytes) -> None:
    """kill -9 of the pipeline: every request is answered, those that met the gap by the lane, and readiness says so."""
    with served(FACESOCIAL__PLACEMENT="colocated", FACESOCIAL__CPU_LANE="on") as service:
        assert workers(service).keys() == {"facesocial", PIPELINE, LANE}
        until(lambda: httpx.get(f"{service.url}/readyz").json()["degraded"] == [], 60)
        with crowd(f"{service.url}/v1/embed", face, 3) as people:
            kill(service, PIPELINE, people, warmed(people), refused=False)
        assert {answer.status for answer in people.answers} == {200}
        assert b"answered by the CPU lane" in service.log.read_bytes()
        os.kill(workers(service)[PIPELINE].pid, signal.SIGKILL)
        state = httpx.get(f"{service.url}/readyz").json()
        assert state["ready"] is True
        assert "the CPU lane answers" in state["degraded"]


@pytest.fixture(scope="module")
def colocated(bento: str) -> Iterator[Service]:
    """One for the three tests below, the last of which ends it."""
    with Service.start({"FACESOCIAL__PLACEMENT": "colocated"}, bento=bento) as service:
        yield service


def test_inner_sockets_take_no_tcp_and_no_strangers_words(colocated: Service) -> None:
    """What is none of our messages is refused in our form, and the process lives on."""
    (path,) = sockets(colocated)
    with httpx.Client(transport=httpx.HTTPTransport(uds=str(path)), base_url="http://inner") as inner:
        headers = {"Content-Type": "application/octet-stream"}
        assert inner.post("/ask", content=b"\x80\x05.", headers=headers).content[:1] == b"\x01"
        assert inner.post("/ask", content=b"", headers=headers).content[:1] == b"\x01"
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", 5555), timeout=1)  # circus' own default port
    assert httpx.get(f"{colocated.url}/readyz").json()["ready"] is True


def test_readiness_tells_the_truth_about_a_dead_pipeline(colocated: Service) -> None:
    """503 at once with the reason while it is gone, live all the time, ready again later."""
    os.kill(workers(colocated)[PIPELINE].pid, signal.SIGKILL)
    time.sleep(0.2)
    response = httpx.get(f"{colocated.url}/readyz")
    assert (response.status_code, response.headers["retry-after"]) == (503, "5")
    assert PIPELINE in response.json()["reasons"][0]
    assert httpx.get(f"{colocated.url}/livez").status_code == 200
    until(lambda: bool(httpx.get(f"{colocated.url}/readyz").json()["ready"]), 60)


def test_no_worker_outlives_the_supervisor(colocated: Service) -> None:
    """kill -9 of the parent: nobody would look after the others, and the port would stay taken."""
    processes = list(workers(colocated).values())
    os.kill(colocated.pid, signal.SIGKILL)
    _, alive = psutil.wait_procs(processes, timeout=20)
    assert alive == []
