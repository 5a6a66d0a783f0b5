"""No pickle gets in. BentoML's processes send each other pickles: whoever reaches such a socket can run programs."""

from __future__ import annotations

from typing import Final

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

PICKLE: Final = "application/vnd.bentoml+pickle"


class WithoutPickles:
    """Pure ASGI. Around every application of BentoML, also those that only our own processes call."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """415 for a pickle, before BentoML reads its body; the rest passes."""
        if scope["type"] == "http" and _is_pickle(Headers(scope=scope)):
            await Response(status_code=415, headers={"Connection": "close"})(scope, receive, send)
        else:
            await self._app(scope, receive, send)


def _is_pickle(headers: Headers) -> bool:
    """Whatever the case and the parameters, and wherever it stands among several such headers."""
    return any(value.split(";")[0].strip().lower() == PICKLE for value in headers.getlist("content-type"))
