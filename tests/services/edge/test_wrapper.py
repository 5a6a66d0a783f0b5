"""The edge around any application: ids, headers, problem+json, probes, one log line, no endless reading."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import httpx
import pytest
import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import Message, Receive, Scope, Send

from services.edge.problems import MEDIA_TYPE
from services.edge.reply import HEADERS
from services.edge.routes import Routes
from services.edge.wrapper import Edge, probes
from services.readiness import State

pytestmark = pytest.mark.unit

STATES = {"now": State(ready=False, reasons=("starting",))}


async def state() -> State:
    """The one set."""
    return STATES["now"]


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """What BentoML could do: `/<status>` answers in plain text; others raise, early or late, or read the body."""
    if scope["path"].lstrip("/").isdecimal():
        headers = {"server": "uvicorn", "x-bentoml-request-id": "1", "allow": "POST"}
        await PlainTextResponse("/secret/path", int(scope["path"][1:]), headers)(scope, receive, send)
    if scope["path"] == "/own":
        await JSONResponse({"code": "mine"}, 422, media_type=MEDIA_TYPE)(scope, receive, send)
    if scope["path"] == "/read":
        await Response(await Request(scope, receive).body())(scope, receive, send)
    if scope["path"] == "/late":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise RuntimeError("/secret/path")
    if scope["path"] == "/early":
        raise RuntimeError("/secret/path")


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(Edge(application, probes(state), routes=Routes(["/read"])))
    async with httpx.AsyncClient(transport=transport, base_url="http://edge") as client:
        yield client


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "bad_request"),
        (404, "not_found"),
        (405, "method_not_allowed"),
        (413, "payload_too_large"),
        (415, "unsupported_media_type"),
        (422, "validation_error"),
        (500, "internal"),
        (503, "not_ready"),
        (504, "deadline_exceeded"),
        (418, "internal"),
    ],
)
async def test_an_error_that_is_not_ours_is_replaced_whole(client: httpx.AsyncClient, status: int, code: str) -> None:
    response = await client.get(f"/{status}")
    assert response.headers["content-type"] == MEDIA_TYPE
    assert response.json()["code"] == code
    assert response.json()["status"] == response.status_code
    assert response.json()["request_id"] == response.headers["x-request-id"]
    assert "secret" not in response.text
    assert response.headers.get("allow") == "POST"


ORIGIN = "https://app.example.com"


@pytest.fixture
async def shared() -> AsyncIterator[httpx.AsyncClient]:
    """Of an edge that pages of ORIGIN may call, and that everybody is let in by, with a header."""

    async def admit(scope: Scope) -> dict[str, str]:
        return {"RateLimit-Remaining": "7"}

    transport = httpx.ASGITransport(Edge(application, probes(state), admit, [ORIGIN]))
    async with httpx.AsyncClient(transport=transport, base_url="http://edge") as client:
        yield client


@pytest.mark.parametrize("path", ["/200", "/404", "/own", "/livez"])
async def test_pages_of_a_named_site_may_read_every_answer(shared: httpx.AsyncClient, path: str) -> None:
    """Errors that are replaced too, and how often they may still come."""
    headers = (await shared.get(path, headers={"Origin": ORIGIN})).headers
    assert headers["access-control-allow-origin"] == ORIGIN
    assert "access-control-allow-credentials" not in headers
    assert {"RateLimit-Remaining", "Retry-After"} <= set(headers["access-control-expose-headers"].split(", "))
    assert headers["vary"] == "Origin"
    assert headers["ratelimit-remaining"] == "7"


@pytest.mark.parametrize("path", ["/200", "/404", "/own", "/livez"])
async def test_s17_pages_of_other_sites_may_read_nothing(
    client: httpx.AsyncClient, shared: httpx.AsyncClient, path: str
) -> None:
    for origin in ("https://evil.example.com", f"{ORIGIN}.evil.com", "null"):
        for one in (client, shared):
            response = await one.get(path, headers={"Origin": origin, "Cookie": "session=1"})
            assert "access-control-allow-origin" not in response.headers


async def test_a_browser_asks_first(shared: httpx.AsyncClient) -> None:
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "Authorization,X-Timeout-Ms"}
    allowed = await shared.options("/200", headers={"Origin": ORIGIN, **asked})
    assert (allowed.status_code, allowed.headers["access-control-allow-origin"]) == (200, ORIGIN)
    own = {"Access-Control-Request-Headers": "X-Own"}
    for foreign in ({**asked, "Origin": "https://evil.example.com"}, {**asked, **own, "Origin": ORIGIN}):
        refused = await shared.options("/200", headers=foreign)
        assert (refused.status_code, refused.json()["code"]) == (400, "bad_request")


async def test_s16_security_headers_of_every_answer(client: httpx.AsyncClient) -> None:
    """Strict-Transport-Security where TLS was, and nowhere else (RFC 6797, 7.2)."""
    for path in ("/200", "/404", "/own", "/early", "/livez", "/readyz"):
        plain, secure = await client.get(path), await client.get(f"https://edge{path}")
        for name, value in HEADERS.items():
            assert plain.headers[name] == secure.headers[name] == value
        assert "strict-transport-security" not in plain.headers
        assert secure.headers["strict-transport-security"] == "max-age=31536000"


async def test_our_own_error_passes(client: httpx.AsyncClient) -> None:
    response = await client.get("/own")
    assert (response.status_code, response.json()) == (422, {"code": "mine"})


async def test_s16_headers_of_every_answer(client: httpx.AsyncClient) -> None:
    for path in ("/200", "/404", "/own", "/early", "/livez", "/readyz"):
        headers = (await client.get(path)).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"
        assert re.fullmatch(r"[0-9a-f]{32}", headers["x-request-id"])
        assert "server" not in headers
        assert "x-bentoml-request-id" not in headers


@pytest.mark.parametrize("method", ["GET", "OPTIONS"])
async def test_s17_pages_of_named_sites_alone_may_read_answers(method: str) -> None:
    """None may do so with cookies."""
    edge = Edge(application, {}, origins=["https://app.example"])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(edge), base_url="http://edge") as client:
        for origin, permitted in (("https://app.example", True), ("https://evil.example", False), ("null", False)):
            headers = {"Origin": origin, "Access-Control-Request-Method": "POST", "Cookie": "a=b"}
            answer = await client.request(method, "/200", headers=headers)
            assert answer.headers.get("access-control-allow-origin") == (origin if permitted else None)
            assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize(
    ("given", "echoed"),
    [("abcDEF-_12", True), ("a" * 64, True), ("short", False), ("a" * 65, False), ("a b c d", False), ("é" * 9, False)],
)
async def test_a_harmless_request_id_is_kept(client: httpx.AsyncClient, given: str, echoed: bool) -> None:
    response = await client.get("/200", headers={b"X-Request-Id": given.encode("latin-1")})
    assert (response.headers["x-request-id"] == given) == echoed


async def test_a_crash_is_answered_and_logged_under_the_request_id(client: httpx.AsyncClient) -> None:
    with structlog.testing.capture_logs() as lines:
        response = await client.get("/early")
    assert response.status_code == 500
    assert "secret" not in response.text
    assert lines[0]["event"] == "unhandled"
    assert lines[0]["request_id"] == response.json()["request_id"]


async def test_a_crash_in_mid_answer_ends_the_connection(client: httpx.AsyncClient) -> None:
    with pytest.raises(RuntimeError):
        await client.get("/late")


async def test_one_line_a_request_without_what_was_sent(client: httpx.AsyncClient) -> None:
    with structlog.testing.capture_logs() as lines:
        await client.post("/read?token=hunter2", content=b"secret body")
    (line,) = lines
    assert line.keys() == {"event", "log_level", "request_id", "method", "route", "status", "ms"}
    assert (line["method"], line["route"], line["status"]) == ("POST", "/read", 200)
    assert "hunter2" not in str(line)


@pytest.mark.parametrize(
    ("path", "headers", "closes"),
    [
        ("/413", [(b"content-length", b"1000000")], True),
        ("/413", [(b"transfer-encoding", b"chunked")], True),
        ("/200", [(b"content-length", b"0")], False),
        ("/200", [], False),
        ("/read", [(b"content-length", b"4")], False),
    ],
)
async def test_s6_an_answer_before_the_end_of_the_body_closes_the_connection(
    path: str, headers: list[tuple[bytes, bytes]], closes: bool
) -> None:
    """Otherwise the server would read on, however long the body is."""
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"body", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "scheme": "http", "method": "POST", "path": path, "query_string": b"", "headers": headers}
    await Edge(application, {})(scope, receive, send)
    assert ((b"connection", b"close") in sent[0]["headers"]) == closes


@pytest.mark.parametrize(
    ("state", "status"),
    [
        (State(ready=True, degraded=("face-mesh: not installed",)), 200),
        (State(ready=False, reasons=("warming up",)), 503),
    ],
)
async def test_readyz_says_why(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, state: State, status: int
) -> None:
    monkeypatch.setitem(STATES, "now", state)
    response = await client.get("/readyz")
    assert response.status_code == status
    assert response.json() == {
        "ready": state.ready,
        "reasons": list(state.reasons),
        "degraded": list(state.degraded),
        "generation": state.generation,
    }
    assert ("retry-after" in response.headers) == (status == 503)
    assert (await client.get("/livez")).status_code == 200


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/healthz"])
async def test_probes_take_get_and_head(client: httpx.AsyncClient, path: str) -> None:
    response = await client.post(path)
    assert (response.status_code, response.json()["code"]) == (405, "method_not_allowed")
    assert response.headers["allow"] == "GET, HEAD"
    assert (await client.head(path)).status_code in (200, 503)


async def test_other_protocols_pass_untouched() -> None:
    seen = []

    async def inner(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["type"])

    async def unused() -> Message:
        raise AssertionError

    async def ignore(message: Message) -> None:
        raise AssertionError

    await Edge(inner, {})({"type": "lifespan"}, unused, ignore)
    assert seen == ["lifespan"]
