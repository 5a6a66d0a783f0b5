"""Two services of BentoML's on our server, without a model: what tests of the server serve instead of FaceSocial."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

import bentoml
import httpx
from bentoml._internal.utils.uri import uri_to_path
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from bentos.server import confine_supervisor, harden_protocol, keep_inner_services_to_the_end, serve_behind_edge
from facesocial.configuration import load_configuration
from services.readiness import State

TIMEOUT_SECONDS = 1
RUNTIME = Path(os.environ["FACESOCIAL_RUNTIME"])


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

    @bentoml.api
    async def double_at_last(self, number: int) -> int:
        """Has the inner service do it, once the test says so."""
        (RUNTIME / "begun").touch()
        while not (RUNTIME / "go").exists():  # noqa: ASYNC110 — the event is in another process
            await asyncio.sleep(0.05)
        socket = uri_to_path(json.loads(os.environ["BENTOML_RUNNER_MAP"])["Inner"])
        transport = httpx.AsyncHTTPTransport(uds=socket)
        async with httpx.AsyncClient(transport=transport, base_url="http://inner", timeout=60) as client:
            return int((await client.post("/double", json={"number": number})).text)


async def ready() -> State:
    """Always."""
    return State(ready=True)


serve_behind_edge(ready)
harden_protocol(load_configuration().server)
confine_supervisor(RUNTIME)
keep_inner_services_to_the_end()
