"""A server that forgets nothing: what a test of memory must flag."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from tests.bentos.trim import obey

KEPT: list[bytes] = []
TIMES = 16
"""So that fewer requests do."""


async def keep(request: Request) -> JSONResponse:
    """Answers anything, and keeps it."""
    KEPT.append(await request.body() * TIMES)
    return JSONResponse({})


obey()
app = Starlette(routes=[Route("/{path:path}", keep, methods=["POST", "GET"])])
