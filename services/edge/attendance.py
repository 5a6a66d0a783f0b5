"""Whether somebody still waits. Nobody: what is being done for a request is cancelled, here and in other processes."""

from __future__ import annotations

import asyncio

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.edge.reply import ROUTE
from services.edge.routes import OTHER

log = structlog.get_logger(__name__)


class Attendance:
    """Pure ASGI, around every application of ours: an inner process sees that the edge has hung up."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Runs the application until it ends or its client is gone."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        line = _Line(receive, send)
        work = asyncio.ensure_future(self._app(scope, line.receive, line.send))
        gone = asyncio.ensure_future(line.gone())
        try:
            await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
            if not work.done() and not line.answered:
                log.info("the client is gone", route=scope.get(ROUTE, OTHER))
                work.cancel()
            await asyncio.wait({work})
        finally:
            gone.cancel()
            work.cancel()
        if not work.cancelled():
            work.result()


class _Line:
    """What comes from the client. While the body comes, the application hears it; then we listen for the end."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self.answered = False
        """After the whole answer the server says that nobody is there; what the application still does is its own."""
        self._receive, self._send = receive, send
        self._whole = asyncio.Event()
        self._ended = asyncio.Event()

    async def receive(self) -> Message:
        """For the application; once the body is whole, the end of the connection."""
        if self._whole.is_set():
            await self._ended.wait()
            return {"type": "http.disconnect"}
        message = await self._receive()
        if message["type"] == "http.disconnect":
            self._whole.set()
            self._ended.set()
        elif not message.get("more_body", False):
            self._whole.set()
        return message

    async def send(self, message: Message) -> None:
        """Pass on, and note when the answer is whole."""
        self.answered = message["type"] == "http.response.body" and not message.get("more_body", False)
        await self._send(message)

    async def gone(self) -> None:
        """Returns when nobody is there any more."""
        await self._whole.wait()
        while not self._ended.is_set():
            message = await self._receive()
            if message["type"] == "http.disconnect":
                self._ended.set()
