"""What the head of a request alone decides, over real HTTP: paths, methods, hosts, framing, origins (checks S)."""

from __future__ import annotations

import json

import httpx
import pytest

from cli.process import Service
from cli.vram.service import credentials
from tests.wire import connect

pytestmark = pytest.mark.integration


@pytest.mark.parametrize("path", ["/metrics", "/schema.json", "/docs.json"])
def test_s5_what_tells_of_the_service_wants_a_token(client: httpx.Client, path: str) -> None:
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic Og=="}):
        response = client.get(path, headers=headers)
        assert (response.status_code, response.json()["code"]) == (401, "unauthenticated")
        assert response.headers["www-authenticate"] == "Bearer"
    for other in (f"{path}/", f"/{path}", f"/x/..{path}", path.upper()):
        assert client.get(other).status_code in (401, 404)
    for other in (f"{path}%00", f"{path}%0A", f"{path}%0d", f"/%0a{path[1:]}"):
        assert client.get(other).status_code == 400, other
    assert client.get(path, headers=credentials()).status_code == 200


@pytest.mark.parametrize("path", ["/", "/docs", "/openapi.json", "/redoc", "/static_content/index.html"])
def test_s5_bentomls_and_fastapis_pages_are_not_served(client: httpx.Client, path: str) -> None:
    """BentoML's start page would make an operator's browser call a tracker."""
    assert client.get(path).json()["code"] == "not_found"


@pytest.mark.parametrize("path", ["/", "/livez", "/docs.json", "/v1/detect", "/v1/admin/vram", "/nothing", "x:443"])
@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "BREW"])
def test_s13_other_methods_are_405(client: httpx.Client, method: str, path: str) -> None:
    response = client.request(method, "/", extensions={"target": path.encode()})
    assert (response.status_code, response.json()["code"]) == (405, "method_not_allowed")
    assert method not in response.headers["allow"]


START = b"POST /v1/detect HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


@pytest.mark.parametrize(
    "sent",
    [
        START + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        START + b"transfer-encoding: chunked\r\nA: b\r\ncontent-length: 2\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        START + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
        START + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        START + b"Content-Length: 2, 2\r\n\r\n{}",
        START + b"Content-Length: -1\r\n\r\n",
        START + b"Content-Length : 2\r\n\r\n{}",
        START + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        START + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nA: b\n\r\n",
        START + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: x\r\nA: b\r\n\tc\r\n\r\n",
        b"GET /livez HTTP/1.1\nHost: x\n\n",
        b"GET /livez HTTP/1.1\r\nHost: x\nA: b\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: x\r\n\n",
        b"GET /livez HTTP/1.1\r\nHost: x\rA: b\r\n\r\n",
    ],
)
def test_s11_what_two_servers_read_differently_is_refused(service: Service, sent: bytes) -> None:
    """400 in our form, and the connection closes: what follows is never taken for a request."""
    with connect(service) as connection:
        connection.sendall(sent + b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = b""
        while received := connection.recv(65_536):
            answer += received
    assert answer.count(b"HTTP/1.1") == 1
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400")
    assert json.loads(body)["code"] == "bad_request"
    assert json.loads(body)["request_id"].encode() in head
    for header in (b"content-type: application/problem+json", b"x-content-type-options", b"cache-control: no-store"):
        assert header in head.lower()
    assert b"server:" not in head.lower()


@pytest.mark.parametrize("host", ["a/../admin?x=", "localhost/v1/detect?", "a@b", "", "a b"])
@pytest.mark.parametrize("path", ["/v1/admin/vram", "/docs.json"])
def test_s12_a_host_opens_nothing(client: httpx.Client, path: str, host: str) -> None:
    assert client.get(path, headers={"Host": host}).status_code in (400, 401)


def test_s17_a_page_of_another_site_may_not_read_our_answers(client: httpx.Client) -> None:
    headers = {"Origin": "https://evil.example", "Cookie": "a=b", "Access-Control-Request-Method": "POST"}
    for method, path in (("GET", "/livez"), ("POST", "/v1/detect"), ("OPTIONS", "/v1/detect"), ("GET", "/v1/models")):
        response = client.request(method, path, headers=headers)
        assert not [name for name in response.headers if name.startswith("access-control-")]
