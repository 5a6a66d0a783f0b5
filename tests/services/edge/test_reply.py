"""What an answer is counted and logged as, and what becomes of a WebSocket that nobody takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import structlog
from starlette.responses import PlainTextResponse, Response
from starlette.types import Message, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketClose

from facesocial.configuration import RateSettings
from facesocial.errors import RateLimited
from services.edge.door import Door
from services.edge.problems import MEDIA_TYPE, problem
from services.edge.rates import Rates
from services.edge.reply import GONE, HEADERS, unparsable
from services.edge.routes import Routes
from services.edge.wrapper import Edge

pytestmark = pytest.mark.unit


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """`/code` answers with a code of ours; `/<status>` in plain words; `/socket` takes WebSockets, others none."""
    if scope["type"] == "websocket" and scope["path"] == "/socket":
        socket = WebSocket(scope, receive, send)
        await socket.accept()
        await socket.close()
    elif scope["type"] == "websocket":
        await WebSocketClose()(scope, receive, send)
    elif scope["path"] == "/code":
        await problem("file_expected", "a file", "an-id")(scope, receive, send)
    elif scope["path"][1:].isdecimal():
        await PlainTextResponse("no", int(scope["path"][1:]))(scope, receive, send)
    elif scope["path"] != "/silent":
        await Response()(scope, receive, send)


Counted = list[tuple[str, int, str]]


def edge(counted: Counted, admit: Any = None) -> Edge:
    """Behind our door, unless `admit` says otherwise; writes what it counts to `counted`."""

    def tally(route: str, status: int, code: str, seconds: float) -> None:
        assert 0 <= seconds < 5
        counted.append((route, status, code))

    return Edge(
        application,
        {},
        admit or Door(Rates(RateSettings()), lambda _: None),
        routes=Routes(["/code", "/504"]),
        tally=tally,
    )


@pytest.mark.parametrize(
    ("path", "counted", "level"),
    [
        ("/code", ("/code", 422, "file_expected"), "info"),
        ("/504", ("/504", 504, "deadline_exceeded"), "warning"),
        ("/404", ("other", 404, "not_found"), "info"),
        ("/anna-smith.jpg", ("other", 200, ""), "info"),
        ("/metrics\n", ("other", 400, "bad_request"), "info"),
        ("/silent", ("other", GONE, ""), "info"),
    ],
)
async def test_an_answer_is_counted_and_logged_by_route_and_code(
    path: str, counted: tuple[str, int, str], level: str
) -> None:
    seen: Counted = []
    with structlog.testing.capture_logs() as lines:
        await edge(seen)(_asked(path), _nothing, _ignore)
    assert seen == [counted]
    (line,) = lines
    assert (line["route"], line["status"], line.get("code", ""), line["log_level"]) == (*counted, level)
    assert "anna" not in str(line)


@pytest.mark.parametrize("character", ["\n", "\r", "\0", "\t", " ", "\x7f"])
async def test_s5_a_path_with_a_control_character_is_nobodys(character: str) -> None:
    """To Starlette a line break at the end is none: the page behind would be had without a token."""
    for path in (f"/code{character}", f"/{character}code"):
        sent: list[Message] = []
        await edge([])(_asked(path), _nothing, _keeping(sent))
        assert sent[0]["status"] == 400


async def test_s16_a_websocket_that_nobody_takes_is_answered_like_any_other_request() -> None:
    seen: Counted = []
    sent = await _shake(edge(seen), "/nobody")
    assert [message["type"] for message in sent] == ["websocket.http.response.start", "websocket.http.response.body"]
    headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    assert sent[0]["status"] == 404
    assert headers["content-type"] == MEDIA_TYPE
    assert headers["x-request-id"]
    assert {name.lower(): headers[name.lower()] for name in HEADERS} == {k.lower(): v for k, v in HEADERS.items()}
    assert seen == [("other", 404, "not_found")]


async def test_one_that_is_not_let_in_hears_why() -> None:
    async def nobody(_: Scope) -> Mapping[str, str]:
        raise RateLimited("too many", 100, 7)

    seen: Counted = []
    sent = await _shake(edge(seen, nobody), "/socket")
    assert (sent[0]["status"], seen) == (429, [("other", 429, "rate_limited")])
    assert (b"retry-after", b"7") in sent[0]["headers"]
    assert (await _shake(edge(seen), "/socket\n"))[0]["status"] == 400


async def test_one_that_is_taken_is_let_through() -> None:
    seen: Counted = []
    sent = await _shake(edge(seen), "/socket")
    assert [message["type"] for message in sent] == ["websocket.accept", "websocket.close"]
    assert seen == [("other", 101, "")]


async def test_a_method_of_the_callers_choice_is_not_logged() -> None:
    with structlog.testing.capture_logs() as lines:
        await edge([])(_asked("/code", method="HUNTER2"), _nothing, _ignore)
    assert (lines[0]["method"], lines[0]["status"]) == ("other", 405)


def test_what_is_no_request_is_logged_under_the_id_that_it_was_answered_with() -> None:
    with structlog.testing.capture_logs() as lines:
        answer = unparsable()
    assert [line["request_id"] for line in lines] == [answer.headers["x-request-id"]]
    assert lines[0]["code"] == "bad_request"


def test_a_body_that_cannot_be_parsed_is_its_requests() -> None:
    with structlog.testing.capture_logs() as lines:
        assert unparsable("an-id-of-theirs").headers["x-request-id"] == "an-id-of-theirs"
    assert lines == []


def _asked(path: str, method: str = "GET") -> dict[str, Any]:
    """The scope of a request."""
    return {
        "type": "http",
        "http_version": "1.1",
        "scheme": "http",
        "method": method,
        "path": path,
        "query_string": b"",
        "headers": [(b"host", b"edge")],
    }


async def _shake(app: Edge, path: str) -> list[Message]:
    """What a handshake is answered."""
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    extensions: dict[str, Any] = {"websocket.http.response": {}}
    scope = _asked(path) | {"type": "websocket", "scheme": "ws", "extensions": extensions, "subprotocols": []}
    del scope["method"]  # a handshake has none
    await app(scope, receive, _keeping(sent))
    return sent


def _keeping(sent: list[Message]) -> Send:
    async def send(message: Message) -> None:
        sent.append(message)

    return send


async def _nothing() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}


async def _ignore(_: Message) -> None:
    pass
