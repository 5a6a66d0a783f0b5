"""Our edge in front of BentoML's application: request ids, problem+json for everything, headers, and the probes."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Final, TypeAlias

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from facesocial.errors import FaceSocialError
from services.edge.problems import MEDIA_TYPE, problem, problem_of
from services.readiness import State

log = structlog.get_logger(__name__)

REQUEST_ID: Final = "facesocial.request_id"
"""Key in the ASGI scope."""

FOREIGN: Final[dict[int, tuple[str, str]]] = {
    400: ("bad_request", "the request cannot be parsed"),
    404: ("not_found", "there is nothing here"),
    405: ("method_not_allowed", "this resource does not take this method"),
    413: ("payload_too_large", "the body is too large"),
    415: ("unsupported_media_type", "this content type is not accepted"),
    422: ("validation_error", "a parameter is not valid"),
    503: ("not_ready", "the service cannot answer now"),
    504: ("deadline_exceeded", "no answer within the deadline"),
}
"""Status of an error that is not ours → our code and a detail that gives nothing away."""

HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
}
"""Of every answer that does not say otherwise: OWASP's for APIs."""

STRICT: Final = {"Strict-Transport-Security": "max-age=31536000"}
"""Where the request came by TLS; RFC 6797 forbids it elsewhere."""

METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
"""Nothing here takes another one."""

KEPT: Final = ("allow", "vary", "access-control-", "ratelimit-")
"""Beginnings of the headers that an error keeps when it is replaced, in lower case."""

EXPOSED: Final = ("X-Request-Id", "Retry-After", "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset")
"""Headers that a page of another site may read, where it may call us at all."""


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
    """

    def __init__(
        self, app: ASGIApp, pages: Mapping[str, ASGIApp], admit: Admit = everybody, origins: Sequence[str] = ()
    ) -> None:
        self._app = app
        self._pages = pages
        self._admit = admit
        self._shared = _shared(self._answer, origins) if origins else self._answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer `pages` ourselves, pass on the rest."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        scope[REQUEST_ID] = _request_id(scope)
        reply = _Reply(scope, receive, send)
        try:
            await self._shared(scope, reply.receive, reply.send)
        except Exception:
            log.exception("unhandled", request_id=scope[REQUEST_ID])
            if reply.started:
                raise
            await problem("internal", "an unexpected error occurred", scope[REQUEST_ID])(scope, receive, reply.send)
        finally:
            reply.log()

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] not in METHODS:
            return await not_allowed(scope, METHODS)(scope, receive, send)
        try:
            added = await self._admit(scope)
        except FaceSocialError as refusal:
            await problem_of(refusal, scope[REQUEST_ID])(scope, receive, send)
        else:
            await self._pages.get(scope["path"], self._app)(scope, receive, _adding(added, send))


def _shared(app: ASGIApp, origins: Sequence[str]) -> ASGIApp:
    """Credentials are tokens in a header, which a page must have been given: cookies are not asked for."""
    return CORSMiddleware(
        app,
        allow_origins=list(origins),
        allow_methods=["GET", "POST", "PUT", "DELETE"],
        allow_headers=["Authorization", "Content-Type", "Idempotency-Key", "X-Request-Id", "X-Timeout-Ms"],
        expose_headers=EXPOSED,
    )


def _adding(added: Mapping[str, str], send: Send) -> Send:
    async def with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).update(added)
        await send(message)

    return with_headers if added else send


class _Reply:
    """Watches one response on its way out."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._scope, self._receive, self._send = scope, receive, send
        self._began = time.perf_counter()
        self._status = 0
        self._replaced = False
        headers = Headers(scope=scope)
        self._unread = headers.get("content-length", "0") != "0" or "transfer-encoding" in headers

    @property
    def started(self) -> bool:
        """Whether the client has seen a status."""
        return self._status != 0

    async def receive(self) -> Message:
        """Pass on, and note when the body has come to its end."""
        message = await self._receive()
        self._unread = message.get("more_body", False)
        return message

    async def send(self, message: Message) -> None:
        """Pass on; errors that are not problem+json are replaced whole."""
        if self._replaced:
            return
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            ours = headers.get("content-type", "").startswith(MEDIA_TYPE)
            if message["status"] >= 400 and not ours and self._scope["path"] not in PROBES:
                await self._replace(message["status"], headers)
                return
            self._status = message["status"]
            headers["X-Request-Id"] = self._scope[REQUEST_ID]
            if self._unread:
                headers["Connection"] = "close"  # else the server reads and drops the rest, however long it is
            for name in ("server", "x-bentoml-request-id"):
                if name in headers:
                    del headers[name]
            for name, value in {**HEADERS, **(STRICT if self._scope.get("scheme") == "https" else {})}.items():
                headers.setdefault(name, value)
        await self._send(message)

    async def _replace(self, status: int, headers: Headers) -> None:
        code, detail = FOREIGN.get(status, ("internal", "an unexpected error occurred"))
        answer = problem(code, detail, self._scope[REQUEST_ID])
        answer.headers.update({name: value for name, value in headers.items() if name.startswith(KEPT)})
        await answer(self._scope, self._receive, self.send)
        self._replaced = True

    def log(self) -> None:
        """One line a request: the route, never the query or what was sent. Probes that went well are not worth one."""
        write = log.debug if self._scope["path"] in PROBES and self._status == 200 else log.info
        write(
            "request",
            request_id=self._scope[REQUEST_ID],
            method=self._scope["method"],
            path=self._scope["path"],
            status=self._status or GONE,
            ms=round((time.perf_counter() - self._began) * 1000, 1),
        )


GONE: Final = 499
"""In the log: the client left before there was an answer."""

PROBES: Final = ("/livez", "/healthz", "/readyz")
"""Their bodies are their own."""


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
    return not_allowed(scope, ("GET", "HEAD"))


def not_allowed(scope: Scope, methods: Sequence[str]) -> Response:
    """405, with the methods that are."""
    refusal = problem(*FOREIGN[405], scope[REQUEST_ID])
    refusal.headers["Allow"] = ", ".join(methods)
    return refusal


def unparsable() -> Response:
    """400 for what is no request at all, and so passes no edge; the connection ends."""
    identity = uuid.uuid4().hex
    refusal = problem(*FOREIGN[400], identity)
    refusal.headers.update({**HEADERS, "X-Request-Id": identity, "Connection": "close"})
    return refusal


def request_id(request: Request) -> str:
    """The id the edge gave this request."""
    return str(request.scope[REQUEST_ID])


def _request_id(scope: Scope) -> str:
    """The caller's `X-Request-Id` when it is harmless, else a new one."""
    given = next((value for name, value in scope["headers"] if name == b"x-request-id"), b"").decode("latin-1")
    return given if re.fullmatch(r"[A-Za-z0-9_-]{8,64}", given) else uuid.uuid4().hex
