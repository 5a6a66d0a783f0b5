"""Callers of a running service who come, wait, or leave."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx

from cli.process import Service
from services.edge.reply import GONE
from services.operators import operator_token
from services.pipeline.inquiry import Cost
from tests.bentos.gate import Gate
from tests.pictures import plain

PATIENCE_S = 30


@dataclass
class Callers:
    """Each sends a picture as wide as its number; all leave in the end."""

    service: Service
    client: httpx.AsyncClient
    operator: dict[str, str]
    tasks: list[asyncio.Task[httpx.Response]] = field(default_factory=list)

    def call(self, number: int, route: str = "/v1/detect", **headers: str) -> asyncio.Task[httpx.Response]:
        """One more; cancelled, it hangs up."""
        named = {"Content-Type": "image/png", **{name.replace("_", "-"): value for name, value in headers.items()}}
        work = self.client.post(route, content=plain("PNG", number), headers=named)
        self.tasks.append(asyncio.create_task(work))
        return self.tasks[-1]

    async def waiting(self, cost: Cost) -> int:
        """What the gauge says, of all processes."""
        text = (await self.client.get("/metrics", headers=self.operator)).text
        (found,) = re.findall(rf'^facesocial_waiting{{cost="{cost}"}} (\S+)$', text, re.MULTILINE)
        return int(float(found))

    async def come_to_wait(self, cost: Cost, count: int) -> None:
        """Returns when so many wait."""

        async def reached() -> bool:
            return await self.waiting(cost) == count

        await until(reached)

    def given_up(self) -> int:
        """How often a process has given a request up, as the log has it."""
        return self.service.log.read_text().count('"event": "the client is gone"')

    def unanswered(self) -> int:
        """How many requests the edge has logged as such."""
        return self.service.log.read_text().count(f'"status": {GONE}')


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Poll."""
    async with asyncio.timeout(PATIENCE_S):
        while not await condition():  # noqa: ASYNC110 — the event is in another process
            await asyncio.sleep(0.02)


@asynccontextmanager
async def calling(service: Service, gate: Gate) -> AsyncIterator[Callers]:
    """Callers of a service, each on a connection of its own."""
    token = operator_token(gate.folder / "bentoml" / "facesocial")
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(base_url=service.url, timeout=60, limits=limits) as client:
        callers = Callers(service, client, {"Authorization": f"Bearer {token}"})
        yield callers
        for task in callers.tasks:
            task.cancel()
        await asyncio.gather(*callers.tasks, return_exceptions=True)
