"""R17: what is done for a client who left is given up, once, and nothing else is."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest
import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from services.edge.attendance import Attendance

pytestmark = pytest.mark.unit

SCOPE = {"type": "http", "method": "POST", "path": "/v1/detect", "headers": []}
BODY: Message = {"type": "http.request", "body": b"body", "more_body": False}
GONE: Message = {"type": "http.disconnect"}


@dataclass
class Connection:
    """A server's side of one; like uvicorn it says that nobody is there as soon as the answer is whole."""

    coming: asyncio.Queue[Message] = field(default_factory=asyncio.Queue)
    sent: list[Message] = field(default_factory=list)

    async def send(self, message: Message) -> None:
        self.sent.append(message)
        if message["type"] == "http.response.body":
            self.coming.put_nowait(GONE)


@dataclass
class Work:
    """An application that reads, then works until `done`; `cancelled` counts."""

    begun: asyncio.Event = field(default_factory=asyncio.Event)
    done: asyncio.Event = field(default_factory=asyncio.Event)
    cancelled: int = 0
    read: bytes = b""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.read = await Request(scope, receive).body()
        self.begun.set()
        try:
            await self.done.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        await Response(b"answer")(scope, receive, send)


async def test_who_stays_is_answered() -> None:
    connection, work = Connection(), Work()
    connection.coming.put_nowait({"type": "http.request", "body": b"some", "more_body": True})
    connection.coming.put_nowait(BODY)
    work.done.set()
    await Attendance(work)(SCOPE, connection.coming.get, connection.send)
    assert (work.read, work.cancelled) == (b"somebody", 0)
    assert [message["type"] for message in connection.sent] == ["http.response.start", "http.response.body"]


async def test_r17_who_leaves_while_work_is_done_ends_it_once() -> None:
    connection, work = Connection(), Work()
    connection.coming.put_nowait(BODY)
    with structlog.testing.capture_logs() as lines:
        serving = asyncio.create_task(Attendance(work)(SCOPE, connection.coming.get, connection.send))
        await work.begun.wait()
        connection.coming.put_nowait(GONE)
        await asyncio.wait_for(serving, 5)
    assert (work.cancelled, connection.sent) == (1, [])
    assert [line["event"] for line in lines] == ["the client is gone"]


async def test_who_leaves_before_the_body_is_whole_is_the_readers_business() -> None:
    """The application reads the end of the connection itself, as often as it likes."""
    seen = []

    async def reader(scope: Scope, receive: Receive, send: Send) -> None:
        seen.extend([await receive(), await receive(), await receive()])

    connection = Connection()
    connection.coming.put_nowait({"type": "http.request", "body": b"some", "more_body": True})
    connection.coming.put_nowait(GONE)
    await asyncio.wait_for(Attendance(reader)(SCOPE, connection.coming.get, connection.send), 5)
    assert [message["type"] for message in seen] == ["http.request", "http.disconnect", "http.disconnect"]


async def test_what_is_done_after_the_answer_comes_to_its_end() -> None:
    """The server says that nobody is there once it has the whole answer."""
    finished = []

    async def tidy() -> None:
        for _ in range(10):
            await asyncio.sleep(0)
        finished.append(True)

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        await Request(scope, receive).body()
        await Response(b"answer")(scope, receive, send)
        await tidy()

    connection = Connection()
    connection.coming.put_nowait(BODY)
    with structlog.testing.capture_logs() as lines:
        await Attendance(application)(SCOPE, connection.coming.get, connection.send)
    assert finished
    assert lines == []


async def test_an_application_that_waits_for_the_end_hears_it() -> None:
    """As Starlette does while it streams."""
    heard = asyncio.Event()

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        await Request(scope, receive).body()
        waiting = asyncio.ensure_future(receive())
        try:
            await asyncio.Event().wait()
        finally:
            assert (await waiting)["type"] == "http.disconnect"
            heard.set()

    connection = Connection()
    connection.coming.put_nowait(BODY)
    connection.coming.put_nowait(GONE)
    await asyncio.wait_for(Attendance(application)(SCOPE, connection.coming.get, connection.send), 5)
    assert heard.is_set()


async def test_an_error_of_the_application_is_its_own() -> None:
    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        await Request(scope, receive).body()
        raise LookupError

    connection = Connection()
    connection.coming.put_nowait(BODY)
    with pytest.raises(LookupError):
        await Attendance(application)(SCOPE, connection.coming.get, connection.send)


async def test_a_server_that_ends_the_request_ends_the_work() -> None:
    """At the end of its grace period."""
    connection, work = Connection(), Work()
    connection.coming.put_nowait(BODY)
    serving = asyncio.create_task(Attendance(work)(SCOPE, connection.coming.get, connection.send))
    await work.begun.wait()
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving
    await asyncio.sleep(0)
    assert work.cancelled == 1


async def test_other_protocols_pass_untouched() -> None:
    seen: list[tuple[object, object]] = []

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append((receive, send))

    connection = Connection()
    receive, send = connection.coming.get, connection.send
    await Attendance(application)({"type": "websocket"}, receive, send)
    assert seen == [(receive, send)]
