"""Both clients, and a service that answers what it is told to, in a time that passes only when somebody sleeps."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import httpx
import pytest

from facesocial_client import AsyncClient, Client
from facesocial_client.world import World

EPOCH = 1_800_000_000.0
"""Fri, 15 Jan 2027 08:00:00 GMT, when each test begins."""

Outcome: TypeAlias = httpx.Response | httpx.RequestError


@dataclass
class Scene:
    """`outcomes` come one by one, each after `effort` seconds, the last one for ever; sleep is `oversleep` longer."""

    outcomes: list[Outcome] = field(default_factory=list)
    effort: float = 0
    requests: list[httpx.Request] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)
    now: float = 0
    oversleep: float = 0

    def answer(self, request: httpx.Request) -> httpx.Response:
        """For `httpx.MockTransport`."""
        request.read()
        self.requests.append(request)
        self.now += self.effort
        outcome = self.outcomes.pop(0) if len(self.outcomes) > 1 else self.outcomes[0]
        if isinstance(outcome, httpx.RequestError):
            raise outcome
        return httpx.Response(outcome.status_code, headers=outcome.headers, content=outcome.content)

    def sleep(self, seconds: float) -> None:
        """No time is lost."""
        self.slept.append(seconds)
        self.now += seconds + self.oversleep

    async def asleep(self, seconds: float) -> None:
        """Likewise."""
        self.sleep(seconds)

    @property
    def world(self) -> World:
        """Its chance is always a half: a pause is three quarters of the longest one."""
        return World(lambda: self.now, lambda: EPOCH + self.now, lambda: 0.5, self.sleep, self.asleep)


Ask: TypeAlias = Callable[..., Any]


@pytest.fixture
def scene() -> Scene:
    """Fill `outcomes`."""
    return Scene()


@pytest.fixture(params=["threads", "asyncio"])
def ask(request: pytest.FixtureRequest, scene: Scene) -> Iterator[Ask]:
    """`ask(method, *arguments, client={…}, **options)` → what the method of that name answers; of both clients."""
    transport = httpx.MockTransport(scene.answer)
    usual: dict[str, Any] = {"url": "http://face.test", "transport": transport, "world": scene.world}

    def ask_client(method: str, *arguments: Any, client: dict[str, Any] | None = None, **options: Any) -> Any:
        with Client(**usual | (client or {})) as asked:
            return getattr(asked, method)(*arguments, **options)

    async def ask_async_client(
        method: str, *arguments: Any, client: dict[str, Any] | None = None, **options: Any
    ) -> Any:
        async with AsyncClient(**usual | (client or {})) as asked:
            return await getattr(asked, method)(*arguments, **options)

    if request.param == "threads":
        yield ask_client
    else:
        with asyncio.Runner() as runner:
            yield lambda *arguments, **options: runner.run(ask_async_client(*arguments, **options))
