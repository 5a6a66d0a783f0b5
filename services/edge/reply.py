"""An answer on its way out: request id, headers, problem+json in place of whatever else an error says; its log line."""

from __future__ import annotations

import json
import re
import time
import uuid
from collections.abc import Callable
from typing import Final, TypeAlias

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from services.edge.problems import MEDIA_TYPE, internal, problem
from services.edge.routes import OTHER

log = structlog.get_logger(__name__)

REQUEST_ID: Final = "facesocial.request_id"
"""Key in the ASGI scope."""

ROUTE: Final = "facesocial.route"
"""Key in the ASGI scope: what stands for the path where nobody's words may."""

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


Tally: TypeAlias = Callable[[str, int, str, float], None]
"""Counts an answer: route, status, our code of an error or nothing, seconds."""


def uncounted(route: str, status: int, code: str, seconds: float) -> None:
    """Counts nothing."""


class Reply:
    """Watches one response on its way out.

    Args:
        scope, receive, send: of the request.
        tally: counts it.
    """

    def __init__(self, scope: Scope, receive: Receive, send: Send, tally: Tally) -> None:
        self._scope, self._receive, self._send = scope, receive, send
        self._tally = tally
        self._began = time.perf_counter()
        self._status = 0
        self._problem = False
        self._code = ""
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
        """Pass on; errors that are not problem+json are replaced whole, and a WebSocket that is refused gets one."""
        if self._replaced:
            return
        kind = message["type"].removeprefix("websocket.")
        if kind == "http.response.start":
            ours = Headers(raw=message["headers"]).get("content-type", "").startswith(MEDIA_TYPE)
            if message["status"] >= 400 and not ours and self._scope["path"] not in PROBES:
                await self._replace(message["status"], MutableHeaders(scope=message))
                return
            self._status, self._problem = message["status"], ours
            self._dress(MutableHeaders(scope=message))
        elif kind == "http.response.body" and self._problem and not self._code:
            self._code = _code_of(message.get("body", b""))
        elif kind == "accept":
            self._status = 101
        elif kind == "close" and not self.started:
            await self._replace(404, MutableHeaders())
            return
        await self._send(message)

    def _dress(self, headers: MutableHeaders) -> None:
        """What every answer says, and what none says."""
        headers["X-Request-Id"] = self._scope[REQUEST_ID]
        if self._unread:
            headers["Connection"] = "close"  # else the server reads and drops the rest, however long it is
        for name in ("server", "x-bentoml-request-id"):
            if name in headers:
                del headers[name]
        for name, value in {**HEADERS, **(STRICT if self._scope.get("scheme") in ("https", "wss") else {})}.items():
            headers.setdefault(name, value)

    async def _replace(self, status: int, headers: Headers) -> None:
        identity = self._scope[REQUEST_ID]
        answer = problem(*FOREIGN[status], identity) if status in FOREIGN else internal(identity)
        if status == 400 and "access-control-request-method" in Headers(scope=self._scope):
            answer = problem("bad_request", "pages of this site may not ask so: origin, method or header", identity)
        answer.headers.update({name: value for name, value in headers.items() if name.startswith(KEPT)})
        await answer(self._scope, self._receive, self.send)
        self._replaced = True

    def finish(self) -> None:
        """Count it, and one line: the route, never its path or what was sent; none of probes that went well."""
        seconds = time.perf_counter() - self._began
        status, route = self._status or GONE, self._scope[ROUTE]
        method = self._scope.get("method", "GET")  # a handshake is one
        self._tally(route, status, self._code, seconds)
        quiet = route in PROBES and status == 200
        write = log.debug if quiet else log.warning if status >= 500 and route not in PROBES else log.info
        why = {"code": self._code} if self._code else {}
        write(
            "request",
            request_id=self._scope[REQUEST_ID],
            method=method if method in METHODS else OTHER,
            route=route,
            status=status,
            **why,
            ms=round(seconds * 1000, 1),
        )


def _code_of(body: bytes) -> str:
    """Our code in a problem."""
    try:
        return str(json.loads(body)["code"])
    except (ValueError, KeyError, TypeError):
        return ""


GONE: Final = 499
"""In the log and the metrics: the client left before there was an answer."""

PROBES: Final = ("/livez", "/healthz", "/readyz")
"""Their bodies are their own."""


def unparsable(under_way: str = "") -> Response:
    """400 for what cannot be parsed; the connection ends.

    Under the id of the request whose body it is, if one is under way; what is none passes no edge, and is logged here.
    """
    identity = under_way or uuid.uuid4().hex
    if not under_way:
        log.info("request", request_id=identity, route=OTHER, status=400, code="bad_request")
    refusal = problem(*FOREIGN[400], identity)
    refusal.headers.update({**HEADERS, "X-Request-Id": identity, "Connection": "close"})
    return refusal


def request_id(request: Request) -> str:
    """The id the edge gave this request."""
    return str(request.scope[REQUEST_ID])


def identify(scope: Scope) -> str:
    """The caller's `X-Request-Id` when it is harmless, else a new one."""
    given = next((value for name, value in scope["headers"] if name == b"x-request-id"), b"").decode("latin-1")
    return given if re.fullmatch(r"[A-Za-z0-9_-]{8,64}", given) else uuid.uuid4().hex
