"""What Prometheus is told: every answer by its route and code, and nothing that a caller made up; kept in memory."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psutil
import pytest
from httpx_ws import WebSocketUpgradeError, connect_ws

from bentos.runtime import MEMORY
from tests.bentos.conftest import Target, running
from tests.bentos.processes import workers, written
from tests.pictures import noise

pytestmark = pytest.mark.integration


@pytest.fixture
def client(target: Target) -> Iterator[httpx.Client]:
    """Nobody in particular."""
    with httpx.Client(base_url=target.service.url, timeout=60) as client:
        yield client


def told(target: Target) -> str:
    """`/metrics`, to the operator."""
    headers = {"Authorization": f"Bearer {target.token}"}
    return httpx.get(f"{target.service.url}/metrics", headers=headers).raise_for_status().text


def count(page: str, route: str, status: int, code: str = "") -> float:
    """How many such answers."""
    labels = re.escape(f'{{code="{code}",route="{route}",status="{status}"}}')
    found = re.search(rf"^facesocial_requests_total{labels} (\S+)", page, re.MULTILINE)
    return float(found[1]) if found else 0.0


def test_answers_are_counted_by_route_and_code_refusals_of_the_edge_too(target: Target, client: httpx.Client) -> None:
    before = told(target)
    client.post("/v1/detect", content=noise(), headers={"Content-Type": "image/jpeg"}).raise_for_status()
    client.post("/v1/detect", content=b"x", headers={"Content-Type": "application/vnd.bentoml+pickle"})
    client.post("/v1/admin/models/anna-smith/load")
    client.get("/anna-smith/passport.jpg")
    client.get("/v1/detect")
    client.get("/metrics")
    after = told(target)
    for route, status, code in (
        ("/v1/detect", 200, ""),
        ("/v1/detect", 415, "unsupported_media_type"),
        ("/v1/admin/models/{alias}/load", 401, "unauthenticated"),
        ("other", 404, "not_found"),
        ("/v1/detect", 405, "method_not_allowed"),
        ("/metrics", 401, "unauthenticated"),
    ):
        assert count(after, route, status, code) == count(before, route, status, code) + 1, (route, code)
    assert 'facesocial_request_seconds_count{route="/v1/detect",status="200"}' in after


def test_nothing_that_a_caller_made_up_is_in_them(target: Target, client: httpx.Client) -> None:
    client.get("/warm-up")
    size = len(told(target))
    for number in range(50):
        client.get(f"/anna-smith-{number}.jpg")
        client.post(f"/v1/admin/models/anna-smith-{number}/activate", json={})
    page = told(target)
    assert "anna" not in page
    assert len(page) < size + 2000


def test_they_lie_in_memory_where_nobody_else_looks(target: Target) -> None:
    """The same folder has the control sockets; it goes when the service does."""
    family = psutil.Process(target.service.pid).children(recursive=True)
    folders = {Path(process.environ()["PROMETHEUS_MULTIPROC_DIR"]) for process in family}
    (folder,) = folders
    assert list(folder.glob("*.db"))
    assert folder.parent.stat().st_mode & 0o077 == 0
    assert folder.is_relative_to(MEMORY)


def test_s16_a_websocket_that_nobody_takes_gets_an_answer_and_is_counted(target: Target, client: httpx.Client) -> None:
    before = told(target)
    with pytest.raises(WebSocketUpgradeError) as refused, connect_ws("/v1/nothing", client):
        pass
    response = refused.value.response
    assert response.status_code == 404
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["x-request-id"]
    assert response.headers["x-content-type-options"] == "nosniff"
    assert count(told(target), "other", 404, "not_found") == count(before, "other", 404, "not_found") + 1


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("GET", "Sec-WebSocket-Version: 13"),
        ("GET", "Sec-WebSocket-Version: 12\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="),
        ("GET", "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: short"),
        ("POST", "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="),
    ],
)
def test_s16_what_is_no_handshake_is_no_request_and_is_counted(target: Target, method: str, headers: str) -> None:
    """wsproto would refuse it with a bare status, past the edge."""
    before = told(target)
    place = urlsplit(target.service.url)
    with socket.create_connection((place.hostname, place.port), timeout=10) as connection:
        head = f"{method} /v1/detect HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n{headers}"
        connection.sendall(f"{head}\r\n\r\n".encode())
        answer = b"".join(iter(partial(connection.recv, 65_536), b"")).decode()
    assert answer.startswith("HTTP/1.1 400 Bad Request")
    assert '"code": "bad_request"' in answer
    assert "x-request-id: " in answer
    assert "x-content-type-options: nosniff" in answer
    assert count(told(target), "other", 400, "bad_request") == count(before, "other", 400, "bad_request") + 1


def test_a_body_that_cannot_be_parsed_is_answered_under_its_requests_id(target: Target) -> None:
    place = urlsplit(target.service.url)
    with socket.create_connection((place.hostname, place.port), timeout=10) as connection:
        connection.sendall(
            b"POST /v1/detect HTTP/1.1\r\nHost: a\r\nX-Request-Id: an-id-of-mine\r\nContent-Type: image/png\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n"
        )
        time.sleep(0.2)  # until it is under way
        connection.sendall(b"ZZ\r\n")
        answer = b"".join(iter(partial(connection.recv, 65_536), b"")).decode()
    assert answer.startswith("HTTP/1.1 400")
    assert "x-request-id: an-id-of-mine" in answer
    assert '"request_id": "an-id-of-mine"' in answer
    log = written(target.service, "an-id-of-mine")
    assert log.count("an-id-of-mine") == 1


def test_what_a_process_said_of_the_present_goes_with_it(tmp_path: Path) -> None:
    """Else requests wait for ever that died with a worker."""
    with running(tmp_path / "bentoml") as service:
        (worker,) = workers(service).values()
        folder = Path(worker.environ()["PROMETHEUS_MULTIPROC_DIR"])
        mine = f"gauge_live*_{worker.pid}.db"
        assert list(folder.glob(mine))
        worker.kill()
        deadline = time.monotonic() + 20
        while list(folder.glob(mine)):
            assert time.monotonic() < deadline
            time.sleep(0.1)


def test_s6_the_routes_of_operators_read_no_more_than_a_form(target: Target, client: httpx.Client) -> None:
    """Before anybody asks for a token; what comes is counted as it comes."""

    sent = 0

    def endless() -> Iterator[bytes]:
        nonlocal sent
        for _ in range(300):
            sent += 1_000_000
            yield b" " * 1_000_000

    headers = {"Content-Type": "application/json"}
    try:
        response = client.post("/v1/admin/models/face-detection/activate", content=endless(), headers=headers)
        assert response.status_code == 413
    except httpx.WriteError:  # the answer came, and the connection went, while we were sending
        assert client.get("/livez").status_code == 200
    assert sent < 20e6, "what fits into the buffers of two sockets"
