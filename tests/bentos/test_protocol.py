"""Slow heads, WebSocket frames and proxies: each of our settings of uvicorn, where it shows."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress

import httpx
import pytest
from httpx_ws import WebSocketDisconnect, WebSocketSession, connect_ws
from pydantic import ValidationError
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn import Config

from bentos.protocol import FRAME_BYTES, uvicorn_options
from bentos.server import harden_protocol
from cli.process import Service
from facesocial.configuration import ServerSettings
from services.edge.wrapper import Edge
from tests.wire import HEAD, HEAD_SECONDS, closed, connect

BODY = b'{"number": 4}'
REQUEST = HEAD + b"Content-Length: 13\r\n\r\n" + BODY


def answered(connection: socket.socket) -> bool:
    """Whether the whole answer to `REQUEST` comes."""
    answer = b""
    while not answer.endswith(b"\r\n\r\n8") and (received := connection.recv(65_536)):
        answer += received
    return answer.startswith(b"HTTP/1.1 200")


@pytest.mark.integration
def test_s14_slow_heads_are_closed_and_others_served(pair: Service) -> None:
    """Two hundred connections send a byte at a time for longer than a head may take."""
    with ExitStack() as stack:
        slow = [stack.enter_context(connect(pair)) for _ in range(200)]
        started = time.monotonic()
        for byte in HEAD:
            if time.monotonic() > started + HEAD_SECONDS + 2:
                break
            for connection in slow:
                with suppress(OSError):  # the server has closed
                    connection.send(bytes([byte]))
            assert httpx.post(f"{pair.url}/double", json={"number": 4}, timeout=20).text == "8"
            time.sleep(0.1)
        assert all(closed(connection) for connection in slow)


@pytest.mark.integration
def test_s14_others_wait_no_longer_for_two_hundred_slow_heads(pair: Service) -> None:
    """Their p95 moves by 20 % at most; in the best of five comparisons, for the machine has other things to do, too."""
    moved: list[float] = []
    with httpx.Client(base_url=pair.url, timeout=20) as client:

        def p95() -> float:
            times = []
            for _ in range(100):
                began = time.perf_counter()
                assert client.post("/double", json={"number": 4}).text == "8"
                times.append(time.perf_counter() - began)
            return sorted(times)[94]

        while len(moved) < 5 and min(moved, default=9) > 1.2:
            alone = p95()
            with ExitStack() as stack:
                slow = [stack.enter_context(connect(pair)) for _ in range(200)]
                for connection in slow:
                    connection.sendall(HEAD[:9])
                moved.append(p95() / alone)
                assert all(closed(connection) for connection in slow)
    assert min(moved) <= 1.2, moved


@pytest.mark.integration
@pytest.mark.parametrize("begun", [b"", b"P", HEAD, HEAD + b"\r"])
def test_s14_a_head_that_does_not_come_closes_the_connection(pair: Service, begun: bytes) -> None:
    with connect(pair) as connection:
        connection.sendall(begun)
        assert closed(connection)


@pytest.mark.integration
def test_s14_so_does_a_second_head_that_does_not_come(pair: Service) -> None:
    """uvicorn's timer for idle connections ends with the first byte."""
    with connect(pair) as connection:
        connection.sendall(REQUEST)
        assert answered(connection)
        connection.sendall(HEAD)
        assert closed(connection)


@pytest.mark.integration
def test_a_slow_body_is_not_the_heads_business(pair: Service) -> None:
    with connect(pair) as connection:
        connection.sendall(REQUEST[:-1])
        time.sleep(HEAD_SECONDS + 0.5)
        connection.sendall(REQUEST[-1:])
        assert answered(connection)


@pytest.mark.integration
def test_a_websocket_message_has_a_limit(pair: Service) -> None:
    stream: WebSocketSession
    with connect_ws(f"{pair.url}/socket/measure") as stream:
        stream.send_bytes(bytes(FRAME_BYTES))
        assert stream.receive_json(timeout=20) == FRAME_BYTES
        stream.send_bytes(bytes(FRAME_BYTES + 1))
        with pytest.raises(WebSocketDisconnect) as refused:
            stream.receive_json(timeout=20)
    assert refused.value.code == 1009


@pytest.mark.integration
def test_a_websocket_is_not_compressed(pair: Service) -> None:
    """Though asked for: a frame of few bytes could unpack to many."""
    with connect(pair) as connection:
        connection.sendall(
            b"GET /socket/measure HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            b"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
        )
        answer = connection.recv(65_536).lower()
    assert answer.startswith(b"http/1.1 101")
    assert b"sec-websocket-extensions" not in answer


@pytest.fixture
def configure(monkeypatch: pytest.MonkeyPatch) -> Callable[[ASGIApp, ServerSettings], Config]:
    """What BentoML's worker gets when it asks for uvicorn's configuration."""

    def make(app: ASGIApp, server: ServerSettings) -> Config:
        with monkeypatch.context() as patch:
            patch.setattr(Config, "__init__", Config.__init__)
            harden_protocol(server)
            config = Config(app=app, log_config=None, ssl_ciphers="TLSv1", ssl_version=ssl.PROTOCOL_TLS)
        config.load()
        return config

    return make


Configure = Callable[[ASGIApp, ServerSettings], Config]


async def nowhere(scope: Scope, receive: Receive, send: Send) -> None:
    """An application that is never called."""
    raise AssertionError


@pytest.mark.unit
def test_a_websocket_that_answers_no_ping_is_closed(configure: Configure) -> None:
    """After 20 + 20 seconds."""
    config = configure(nowhere, ServerSettings())
    assert (config.ws_ping_interval, config.ws_ping_timeout) == (20, 20)


@pytest.mark.unit
def test_e_nobody_can_say_that_every_proxy_is_believed() -> None:
    with pytest.raises(ValidationError, match="trusted_proxies"):
        ServerSettings.model_validate({"trusted_proxies": ["*"]})
    assert uvicorn_options(ServerSettings(), public=True)["forwarded_allow_ips"] == []


@pytest.mark.unit
@pytest.mark.parametrize(
    ("trusted", "forwarded", "client"),
    [
        ((), "1.2.3.4", "127.0.0.1"),
        (("10.0.0.0/8",), "1.2.3.4", "127.0.0.1"),
        (("127.0.0.1",), "1.2.3.4", "1.2.3.4"),
        (("127.0.0.0/8",), "6.6.6.6, 1.2.3.4", "1.2.3.4"),
        (("127.0.0.1", "10.0.0.0/8"), "1.2.3.4, 10.1.1.1", "1.2.3.4"),
    ],
)
async def test_e_only_named_proxies_say_who_calls(
    configure: Configure, monkeypatch: pytest.MonkeyPatch, trusted: tuple[str, ...], forwarded: str, client: str
) -> None:
    """The rightmost address that is no proxy of ours; uvicorn's own variable, `*` or not, is void."""
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "*")
    callers = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        callers.append(scope["client"][0])

    async def unused() -> Message:
        raise AssertionError

    async def ignore(message: Message) -> None:
        raise AssertionError

    server = ServerSettings.model_validate({"trusted_proxies": trusted})
    headers = [(b"x-forwarded-for", forwarded.encode())]
    scope = {"type": "websocket", "path": "/", "client": ("127.0.0.1", 1), "headers": headers}
    for outer in (Edge(app, {}), app):
        loaded: ASGIApp = configure(outer, server).loaded_app
        await loaded(dict(scope), unused, ignore)
    assert callers == [client, "127.0.0.1"]  # nobody stands before an inner service
