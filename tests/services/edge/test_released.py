"""R32: whatever becomes of ten requests, the places, the bytes and the leases they took are given back."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from services.edge.attendance import Attendance
from services.edge.timeout import TIMEOUT
from tests.pictures import plain
from tests.services.edge.counters import Front, whole
from tests.vram_policy.fakes import FakeModel
from vram_policy import CpuArbiter
from vram_policy.arbiter import GpuArbiter
from vram_policy.simulated import SimulatedGpu

pytestmark = pytest.mark.unit

REQUESTS = 10
PLACES = 4


@dataclass
class House:
    """A front whose model needs a lease of a card; `leased` counts those that were taken."""

    front: Front
    arbiter: GpuArbiter
    leased: int = 0

    def held(self) -> dict[str, int]:
        """What is taken now."""
        queues = self.front.desk.turns._queues.values()
        return {
            "running": sum(queue.running for queue in queues),
            "waiting": sum(len(queue.waiting) for queue in queues),
            "bytes": self.front.counter._intake.held,
            "leases": self.arbiter.report().models[0].leases,
        }

    async def come_to(self, **wanted: int) -> None:
        """Wait until so much is taken: threads give back a moment after their answer."""
        for _ in range(2000):
            if {name: self.held()[name] for name in wanted} == wanted:
                return
            await asyncio.sleep(0.005)
        pytest.fail(f"{self.held()}, not {wanted}")


@pytest.fixture
def house(gated: Any) -> Iterator[House]:
    """Four run, six wait."""
    arbiter, model = GpuArbiter(SimulatedGpu(1000), 1000, CpuArbiter(), context=0, headroom=0), FakeModel()
    arbiter.lease(model).end()
    arbiter.load(model.tag)
    house = House(Front(gated, PLACES, cache={"enabled": False}), arbiter)
    detect, lock = gated.detect, threading.Lock()

    def leased(*args: Any) -> Any:
        with arbiter.lease(model):
            with lock:
                house.leased += 1
            return detect(*args)

    gated.detect = leased
    yield house
    gated.gate.set()
    house.front.close()
    arbiter.close()


def ten(house: House, **given: Any) -> list[asyncio.Task[Response]]:
    return [asyncio.create_task(house.front.detect(**given)) for _ in range(REQUESTS)]


def statuses(responses: list[Response]) -> Counter[int]:
    return Counter(response.status_code for response in responses)


FREE = {"running": 0, "waiting": 0, "bytes": 0, "leases": 0}


async def full(house: House, content: bytes) -> None:
    """Ten are inside: the positive control of what the others look for."""
    await house.come_to(running=PLACES, waiting=REQUESTS - PLACES, bytes=REQUESTS * len(content), leases=PLACES)


async def test_r32_after_success(house: House, gated: Any) -> None:
    content = plain("PNG")
    requests = ten(house, content=content)
    await full(house, content)
    gated.gate.set()
    assert statuses(await asyncio.gather(*requests)) == {200: REQUESTS}
    await house.come_to(**FREE)
    assert house.leased == gated.began == REQUESTS


async def test_r32_after_a_timeout(house: House, gated: Any) -> None:
    """The bytes at once; places and leases when the network is done."""
    requests = ten(house, headers=((TIMEOUT, "200"),))
    assert statuses(await asyncio.gather(*requests)) == {504: REQUESTS}
    assert house.held()["bytes"] == house.held()["waiting"] == 0
    gated.gate.set()
    await house.come_to(**FREE)
    assert house.leased == gated.began == PLACES


async def test_r32_after_an_error(house: House, gated: Any) -> None:
    gated.gate.set()
    assert statuses(await asyncio.gather(*ten(house, content=b"no picture"))) == {415: REQUESTS}
    await house.come_to(**FREE)

    def fail(*_: object) -> None:
        raise RuntimeError

    gated.detect = fail
    assert statuses(await asyncio.gather(*ten(house))) == {500: REQUESTS}
    await house.come_to(**FREE)


async def test_r32_r17_after_the_client_has_left(house: House, gated: Any) -> None:
    """Each work is cancelled once; those that waited never reach the model."""
    gone, content = asyncio.Event(), plain("PNG")
    ends: Counter[str] = Counter()

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await house.front.detect(receive=receive)
        except asyncio.CancelledError:
            ends["cancelled"] += 1
            raise
        ends["answered"] += 1

    def connection() -> Receive:
        first = [True]

        async def receive() -> Message:
            if first:
                first.clear()
                return await whole(content)()
            await gone.wait()
            return {"type": "http.disconnect"}

        return receive

    async def send(message: Message) -> None:
        pytest.fail("nobody is there")

    scope = {"type": "http", "path": "/v1/detect"}
    served = [asyncio.create_task(Attendance(application)(scope, connection(), send)) for _ in range(REQUESTS)]
    await full(house, content)
    gone.set()
    await asyncio.gather(*served)
    assert ends == {"cancelled": REQUESTS}
    assert house.held() == {"running": PLACES, "waiting": 0, "bytes": 0, "leases": PLACES}
    gated.gate.set()
    await house.come_to(**FREE)
    assert house.leased == gated.began == PLACES


async def test_r32_after_the_end(house: House, gated: Any) -> None:
    """Who runs is answered, who waits is told."""
    content = plain("PNG")
    requests = ten(house, content=content)
    await full(house, content)
    gated.close = lambda: None
    closing = asyncio.create_task(asyncio.to_thread(house.front.desk.close))
    while not house.front.desk.threads._shutdown:  # noqa: ASYNC110 — a thread sets it
        await asyncio.sleep(0.005)
    gated.gate.set()
    assert statuses(await asyncio.gather(*requests)) == {200: PLACES, 503: REQUESTS - PLACES}
    await closing
    await house.come_to(**FREE)
