"""BentoML's server behind our edge: its own answers in our form, its back doors shut (checks S)."""

from __future__ import annotations

import ast
import gzip
import pickle
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psutil
import pytest

from cli.process import Service
from tests.canary import Canary, Listener
from tests.pictures import noise, plain

pytestmark = pytest.mark.integration


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nothing", 404, "not_found"),
        ("POST", "/v1/nothing", 404, "not_found"),
        ("GET", "/v1/../../etc/passwd", 404, "not_found"),
        ("GET", "/v1/detect", 405, "method_not_allowed"),
        ("PUT", "/v1/detect", 405, "method_not_allowed"),
        ("DELETE", "/readyz", 405, "method_not_allowed"),
    ],
)
def test_bentomls_errors_become_ours(client: httpx.Client, method: str, path: str, status: int, code: str) -> None:
    response = client.request(method, path)
    assert (response.status_code, response.json()["code"]) == (status, code)
    assert response.headers["content-type"] == "application/problem+json"
    assert ("allow" in response.headers) == (status == 405)


def test_probes(client: httpx.Client) -> None:
    assert client.get("/livez").status_code == 200
    response = client.get("/readyz")
    assert response.json() == {
        "ready": True,
        "reasons": [],
        "degraded": [],
        "generation": response.json()["generation"],
    }
    assert response.json()["generation"] > 0
    assert client.get("/readyz", headers={"X-Request-Id": "my-own-id"}).headers["x-request-id"] == "my-own-id"


@pytest.mark.parametrize("path", ["/livez", "/v1/detect", "/nothing", "/docs.json", "/schema.json"])
def test_s16_headers(client: httpx.Client, path: str) -> None:
    headers = client.get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    assert headers["x-request-id"]
    assert "server" not in headers


def test_s16_nor_is_a_biometric_answer_kept_by_anybody(client: httpx.Client) -> None:
    response = client.post("/v1/embed", files={"image": ("a.jpg", noise())})
    assert response.status_code == 200
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["x-request-id"] == response.json()["request_id"]


@pytest.mark.parametrize(
    "content_type",
    ["application/vnd.bentoml+pickle", "APPLICATION/VND.BENTOML+PICKLE", "application/vnd.bentoml+pickle;x=y"],
)
@pytest.mark.parametrize(
    "route",
    [
        *("/v1/detect", "/v1/analyze", "/v1/embed", "/v1/liveness", "/v1/deepfake", "/v1/demographics", "/v1/verify"),
        *("/v1/admin/reload", "/v1/admin/models/face-detection/activate", "/v1/models", "/nothing"),
    ],
)
def test_s1_a_pickle_is_never_opened(client: httpx.Client, tmp_path: Path, content_type: str, route: str) -> None:
    body = pickle.dumps({"image": Canary(tmp_path / "canary")})
    response = client.post(route, content=body, headers={"Content-Type": content_type, "Payload-Container": "pickle"})
    assert (response.status_code, response.json()["code"]) == (415, "unsupported_media_type")
    assert not (tmp_path / "canary").exists()


def test_s1_one_process_has_no_inner_socket(service: Service) -> None:
    """Placement `embedded`; what speaks pickle otherwise is in `test_inner_services.py`."""
    names = {Path(str(entry.laddr)).name for entry in psutil.Process(service.pid).net_connections("unix")}
    assert not [name for name in names if name.endswith(".sock")]


def test_s2_a_url_is_never_followed(client: httpx.Client) -> None:
    """In every form a body can have: 422 `file_expected`; as the content of a file it is 415."""
    with Listener() as canary:
        hosts = ("127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0.0.0.0", "169.254.169.254", "example.com")
        for url in (*(f"http://{host}:{canary.port}/x.jpg" for host in hosts), "file:///etc/passwd"):
            for response in (
                client.post("/v1/detect", files={"image": (None, url)}),
                client.post("/v1/detect", data={"image": url}),
                client.post("/v1/detect", json={"image": url}),
                client.post("/v1/detect", content=url, headers={"Content-Type": "text/plain"}),
                client.post("/v1/detect", content=url),
                client.post("/v1/verify", files={"image_a": ("a.jpg", plain()), "image_b": (None, url)}),
            ):
                assert (response.status_code, response.json()["code"]) == (422, "file_expected")
            response = client.post("/v1/detect", files={"image": ("x.jpg", url.encode(), "image/jpeg")})
            assert (response.status_code, response.json()["code"]) == (415, "unsupported_media_type")
        assert canary.asked == []


@pytest.mark.parametrize("name", ["../../etc/x", "/tmp/hunter2", "hunter2\x00", "hunter2" * 700, "\u202ehunter2"])
def test_s7_file_names_are_never_echoed(client: httpx.Client, name: str) -> None:
    for image in (noise(), b"no picture"):
        response = client.post("/v1/detect", files={"image": (name, image)})
        assert response.status_code in (200, 400, 415)
        assert "hunter2" not in response.text
        assert "etc" not in response.text


def test_s15_a_compressed_body_is_refused(client: httpx.Client) -> None:
    body = gzip.compress(bytes(50 << 20))
    response = client.post(
        "/v1/detect", content=body, headers={"Content-Encoding": "gzip", "Content-Type": "image/png"}
    )
    assert (response.status_code, response.json()["code"]) == (415, "unsupported_media_type")


@pytest.mark.parametrize("declared", [True, False])
def test_s6_an_endless_body_is_cut_off(service: Service, resident: Callable[[], int], declared: bool) -> None:
    """413 at once (declared) or at the limit (chunked), then the connection closes.

    What the two kernels buffer counts as sent; `test_upload.py` counts what is read.
    """
    address = urlsplit(service.url)
    assert address.port
    framing = f"Content-Length: {1 << 30}" if declared else "Transfer-Encoding: chunked"
    head = f"POST /v1/detect HTTP/1.1\r\nHost: x\r\nContent-Type: image/jpeg\r\n{framing}\r\n\r\n".encode()
    block = bytes(65_536) if declared else b"10000\r\n" + bytes(65_536) + b"\r\n"
    limit = 0 if declared else 10 * 1024 * 1024
    sent, answer, before = 0, b"", resident()
    with socket.create_connection((str(address.hostname), address.port), timeout=10) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65_536)
        connection.sendall(head)
        try:
            while sent < limit + (64 << 20):
                connection.sendall(block)
                sent += len(block)
        except OSError:
            pass  # the server has closed
        try:
            while received := connection.recv(65_536):
                answer += received
        except ConnectionResetError:
            pass
    assert answer.startswith(b"HTTP/1.1 413")
    assert b"payload_too_large" in answer
    assert resident() - before < 20e6
    assert sent < limit + (4 << 20)  # 0.5 MiB as measured; 1 GiB if the connection stayed


def test_a_caller_who_leaves_in_the_middle_does_no_harm(service: Service, client: httpx.Client) -> None:
    address = urlsplit(service.url)
    assert address.port
    for _ in range(20):
        with socket.create_connection((str(address.hostname), address.port), timeout=10) as connection:
            connection.sendall(
                b"POST /v1/detect HTTP/1.1\r\nHost: x\r\nContent-Type: image/jpeg\r\nContent-Length: 99\r\n\r\nx"
            )
    assert client.get("/readyz").status_code == 200


def test_s4_no_listener_but_the_public_port(service: Service) -> None:
    """S4: circus's control port, where any local user could start programs as us, is a socket in a folder of ours."""
    root = psutil.Process(service.pid)
    listening = {
        connection.laddr.port
        for process in (root, *root.children(recursive=True))
        for connection in process.net_connections("inet")
        if connection.status in (psutil.CONN_LISTEN, psutil.CONN_NONE)
    }
    assert listening == {urlsplit(service.url).port}
    sockets = [
        Path(str(entry.laddr)) for entry in root.net_connections("unix") if str(entry.laddr).endswith("endpoint")
    ]
    assert {path.name for path in sockets} == {"endpoint", "pubsub_endpoint"}
    assert {path.parent.stat().st_mode & 0o777 for path in sockets} == {0o700}


def test_bentomls_timer_ends_no_request(pair: Service) -> None:
    """The deadline is ours; theirs would also keep each timer until it runs out."""
    assert httpx.post(f"{pair.url}/rest", timeout=60).text == "rested"


def test_facesocial_has_neither_bentomls_timer_nor_its_counter() -> None:
    """`max_concurrency` would count a WebSocket for its whole life. In a process of its own: the import patches it."""
    program = """
from _bentoml_impl.server.app import ServiceAppFactory
from bentos.service import FaceSocial
FaceSocial.inject_config()
theirs, ours = ServiceAppFactory(FaceSocial)(), FaceSocial.to_asgi(is_main=False)
print([[entry.cls.__name__ for entry in app.user_middleware] for app in (theirs, ours._app._app)])
"""
    printed = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout
    theirs, ours = ast.literal_eval(printed.splitlines()[-1])
    assert [name for name in theirs if name not in ours] == ["TimeoutMiddleware"]
    assert "MaxConcurrencyMiddleware" not in ours
