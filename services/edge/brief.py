"""Requests that bring a few words or nothing: their bodies are read, whole and bounded, before anybody sees them."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from facesocial.configuration import Configuration
from facesocial.errors import FaceSocialError, UnsupportedMediaType
from services.edge.caller import CALLER, Caller
from services.edge.intake import Intake, Take
from services.edge.problems import problem_of
from services.edge.reply import REQUEST_ID
from services.edge.timeout import deadline_of
from services.edge.upload import read_body


class Brief:
    """Pure ASGI, around applications that read a body before they know who sends it, and as long as it comes.

    Args:
        app: behind it.
        configuration: `limits.form_bytes` of JSON, which must have come within the deadline.
        intake: counts them.
    """

    def __init__(self, app: ASGIApp, configuration: Configuration, intake: Intake) -> None:
        self._app = app
        self._most = configuration.limits.form_bytes
        self._most_ms = configuration.server.deadline_ms
        self._intake = intake

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See the class."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        with self._intake.open(scope.get(CALLER) or Caller.of(scope)) as take:
            try:
                deadline = deadline_of(Headers(scope=scope), self._most_ms)
                body = await deadline.bound(self._read(Request(scope, receive), take))
            except FaceSocialError as error:
                await problem_of(error, scope[REQUEST_ID])(scope, receive, send)
            else:  # without a deadline: an order that is carried out must not be answered 504
                await self._app(scope, _again(body, receive), send)

    async def _read(self, request: Request, take: Take) -> bytes:
        """Raises:
        UnsupportedMediaType: it is something, and not JSON.
        PayloadTooLarge, BadRequest: see `services.edge.upload.read_body`.
        """
        body = await read_body(request, self._most, self._most, take)
        declared = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if body and declared != "application/json":
            raise UnsupportedMediaType("expected application/json")
        return body


def _again(body: bytes, receive: Receive) -> Receive:
    """The body once more, then what comes after it."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def received() -> Message:
        return messages.pop() if messages else await receive()

    return received
