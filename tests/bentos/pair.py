"""Two services of BentoML's on our server, without a model: what tests of the server serve instead of FaceSocial."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import bentoml
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from bentos.server import harden_protocol, hide_supervisor, serve_behind_edge
from facesocial.configuration import load_configuration
from services.readiness import Readiness

TIMEOUT_SECONDS = 1


async def measure(socket: WebSocket) -> None:
    """Answers each message with its length."""
    await socket.accept()
    try:
        while True:
            await socket.send_json(len(await socket.receive_bytes()))
    except WebSocketDisconnect:
        pass


@bentoml.service
class Inner:
    """Called by processes of ours only."""

    @bentoml.api
    def double(self, number: int) -> int:
        """Something to call."""
        return 2 * number


@bentoml.asgi_app(Starlette(routes=[WebSocketRoute("/measure", measure)]), path="/socket")
@bentoml.service(traffic={"timeout": TIMEOUT_SECONDS})
class Outer:
    """Listens on the public port. BentoML's timer would end its requests."""

    inner = bentoml.depends(Inner)

    @bentoml.api
    def double(self, number: int) -> int:
        """Something to call."""
        return 2 * number

    @bentoml.api
    async def rest(self) -> str:
        """Takes longer than BentoML's timer."""
        await asyncio.sleep(TIMEOUT_SECONDS + 0.5)
        return "rested"


serve_behind_edge(Readiness())
harden_protocol(load_configuration().server)
hide_supervisor(Path(os.environ["FACESOCIAL_RUNTIME"]))
