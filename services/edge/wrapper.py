"""Our edge in front of BentoML's application: who comes in, what is answered here, and the probes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Final, TypeAlias

import structlog
from starlette.datastructures import MutableHeaders
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from facesocial.errors import FaceSocialError, MethodNotAllowed
from services.edge.problems import internal, problem, problem_of
from services.edge.reply import FOREIGN, REQUEST_ID, ROUTE, Reply, Tally, identify, uncounted
from services.edge.routes import NONE, Routes
from services.readiness import State

log = structlog.get_logger(__name__)

ASKED: Final = ("Authorization", "Cache-Control", "Content-Type", "Idempotency-Key", "X-Request-Id", "X-Timeout-Ms")
"""Headers that a page of another site may send, where it may call us at all."""

EXPOSED: Final = ("X-Request-Id", "Retry-After", "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset")
"""Headers that it may read."""


Admit: TypeAlias = Callable[[Scope], Awaitable[Mapping[str, str]]]
"""Lets a request in, and gives headers for its answer; or raises one of our errors. See `services.edge.door`."""


async def everybody(_: Scope) -> Mapping[str, str]:
    """Lets everybody in."""
    return {}


class Edge:
    """Pure ASGI. Outermost: nothing reaches a client without passing here.

    Args:
        app: behind it.
        pages: what is answered here, by path.
        admit: who is let in.
        origins: sites whose pages may call us from a browser.
        routes: what paths are called.
        tally: counts the answers.
    """

    def __init__(
        self,
        app: ASGIApp,
        pages: Mapping[str, ASGIApp],
        admit: Admit = everybody,
        origins: Sequence[str] = (),
        routes: Routes = NONE,
        tally: Tally = uncounted,
    ) -> None:
        self._app = app
        self._pages = pages
        self._admit = admit
        self._routes = routes
        self._tally = tally
        self._shared = _shared(self._answer, origins) if origins else self._answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer `pages` ourselves, pass on the rest; a handshake that is refused gets an answer like any other."""
        if scope["type"] not in ("http", "websocket"):
            return await self._app(scope, receive, send)
        scope[REQUEST_ID], scope[ROUTE] = identify(scope), self._routes.name(scope["path"])
        reply = Reply(scope, receive, send, self._tally)
        try:
            await self._shared(scope, reply.receive, reply.send)
        except Exception:
            log.exception("unhandled", request_id=scope[REQUEST_ID])
            if reply.started:
                raise
            await internal(scope[REQUEST_ID])(scope, receive, reply.send)
        finally:
            reply.finish()

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            added = await self._admit(scope)
        except FaceSocialError as refusal:
            await problem_of(refusal, scope[REQUEST_ID])(scope, receive, send)
            return
        page = self._pages.get(scope["path"]) if scope["type"] == "http" else None
        await (page or self._app)(scope, receive, _adding(added, send))


def _shared(app: ASGIApp, origins: Sequence[str]) -> ASGIApp:
    """Credentials are tokens in a header, which a page must have been given: cookies are not asked for."""
    return CORSMiddleware(
        app,
        allow_origins=list(origins),
        allow_methods=["GET", "POST", "PUT", "DELETE"],
        allow_headers=ASKED,
        expose_headers=EXPOSED,
    )


def _adding(added: Mapping[str, str], send: Send) -> Send:
    async def with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).update(added)
        await send(message)

    return with_headers if added else send


def probes(state: Callable[[], Awaitable[State]]) -> dict[str, ASGIApp]:
    """`/livez`: the loop runs. `/readyz`: requests can be answered, or why not."""

    async def livez(scope: Scope, receive: Receive, send: Send) -> None:
        await get_only(scope, Response("ok\n", media_type="text/plain"))(scope, receive, send)

    async def readyz(scope: Scope, receive: Receive, send: Send) -> None:
        now = await state()
        headers = {} if now.ready else {"Retry-After": "5"}
        answer = JSONResponse(asdict(now), status_code=200 if now.ready else 503, headers=headers)
        await get_only(scope, answer)(scope, receive, send)

    return {"/livez": livez, "/healthz": livez, "/readyz": readyz}


async def nothing(scope: Scope, receive: Receive, send: Send) -> None:
    """404: in place of pages of BentoML that we do not serve."""
    await problem(*FOREIGN[404], scope[REQUEST_ID])(scope, receive, send)


def get_only(scope: Scope, answer: Response) -> Response:
    """`answer`, or 405 for a method that is not GET or HEAD."""
    if scope["method"] in ("GET", "HEAD"):
        return answer
    return problem_of(MethodNotAllowed("this is for reading alone", ("GET", "HEAD")), scope[REQUEST_ID])
