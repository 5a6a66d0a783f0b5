"""Bodies of routes that are not for pictures: bounded, in time, JSON."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from facesocial.configuration import Configuration
from services.edge.brief import Brief
from services.edge.intake import Intake
from services.edge.wrapper import Edge

pytestmark = pytest.mark.unit

SETTINGS: Final = {"server": {"deadline_ms": 200}, "limits": {"form_bytes": 1024}}
JSON: Final = {"content-type": "application/json"}


class House:
    """An application that says back what it was sent, or is slow, and what of bodies is held."""

    def __init__(self) -> None:
        configuration = Configuration.model_validate(SETTINGS)
        self.intake = Intake.of(configuration)
        self.app = Edge(Brief(self.application, configuration, self.intake), {})
        self.asked = self.cancelled = 0

    async def application(self, scope: Scope, receive: Receive, send: Send) -> None:
        """`/slow` takes a second; the rest waits for nothing."""
        self.asked += 1
        body = await Request(scope, receive).body()
        try:
            await asyncio.sleep(scope["path"] == "/slow")
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        await Response(body + b"; held: %d" % self.intake.held)(scope, receive, send)

    async def sent(self, receive: Callable[[], Any], *headers: tuple[bytes, bytes]) -> list[Message]:
        """What comes of a request whose body comes from `receive`."""
        messages: list[Message] = []

        async def send(message: Message) -> None:
            messages.append(message)

        scope = {"type": "http", "scheme": "http", "method": "POST", "path": "/", "query_string": b""}
        await self.app({**scope, "headers": list(headers)}, receive, send)
        return messages


@pytest.fixture
def house() -> House:
    return House()


@pytest.fixture
async def client(house: House) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(house.app), base_url="http://edge") as client:
        yield client


async def test_r26_the_limit_is_exact_and_what_fits_is_held_meanwhile(client: httpx.AsyncClient, house: House) -> None:
    answer = await client.post("/", content=b"1" * 1024, headers=JSON)
    assert answer.text == "1" * 1024 + "; held: 1024"
    answer = await client.post("/", content=b"1" * 1025, headers=JSON)
    assert (answer.status_code, answer.json()["code"]) == (413, "payload_too_large")
    assert "1024" in answer.json()["detail"]
    assert (house.asked, house.intake.held) == (1, 0)


async def test_s6_reading_ends_at_the_limit(house: House) -> None:
    read = 0

    async def endless() -> Message:
        nonlocal read
        read += 100
        return {"type": "http.request", "body": b"1" * 100, "more_body": True}

    messages = await house.sent(endless, (b"content-type", b"application/json"))
    assert messages[0]["status"] == 413
    assert read < 1024 + 200
    assert house.intake.held == 0


async def test_a_length_that_is_too_much_is_not_read_at_all(house: House) -> None:
    async def never() -> Message:
        raise AssertionError("was read")

    messages = await house.sent(never, (b"content-length", b"1025"), (b"content-type", b"application/json"))
    assert messages[0]["status"] == 413


@pytest.mark.parametrize(
    "declared", ["application/x-python-pickle", "application/octet-stream", "text/plain", "image/png", ""]
)
async def test_s1_a_body_is_json(client: httpx.AsyncClient, house: House, declared: str) -> None:
    answer = await client.post("/", content=b"{}", headers={"content-type": declared})
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")
    assert house.asked == 0


async def test_no_body_is_of_no_kind(client: httpx.AsyncClient) -> None:
    assert (await client.post("/", headers={"content-type": "text/plain"})).text == "; held: 0"
    assert (await client.get("/")).status_code == 200
    assert (await client.post("/", content=b"{}", headers={"content-type": "Application/JSON; charset=utf-8"})).text


async def test_r15_a_body_that_does_not_come_is_waited_for_as_long_as_the_deadline(house: House) -> None:
    async def stalled() -> Message:
        await asyncio.sleep(60)
        raise AssertionError

    began = asyncio.get_running_loop().time()
    messages = await house.sent(stalled, (b"x-timeout-ms", b"50"))
    assert messages[0]["status"] == 504
    assert asyncio.get_running_loop().time() - began < 5
    assert (house.asked, house.intake.held) == (0, 0)


async def test_an_order_that_is_carried_out_is_not_answered_504(client: httpx.AsyncClient, house: House) -> None:
    answer = await client.get("/slow", headers={"x-timeout-ms": "100"})
    assert (answer.status_code, house.cancelled) == (200, 0)
    answer = await client.get("/", headers={"x-timeout-ms": "abc"})
    assert (answer.status_code, answer.json()["code"]) == (422, "validation_error")
