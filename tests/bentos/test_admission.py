"""R14, R15, R17, R18, R27 over HTTP, with the pipeline in the edge's process and in another one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator

import pytest

from bentos.placement import PIPELINE
from cli.process import Service
from services.pipeline.inquiry import Cost
from tests.bentos.callers import Callers, calling, until
from tests.bentos.gate import Gate, gated
from tests.bentos.processes import workers

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module", params=["embedded", "colocated"])
def house(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Service, Gate]]:
    """One light request runs and one waits; four heavy ones run and sixteen wait."""
    variables = {
        "PLACEMENT": request.param,
        "CPU__REQUESTS": "4",
        "ADMISSION__LIGHT_RUNNING": "1",
        "ADMISSION__LIGHT_WAITING": "1",
        "ADMISSION__HEAVY_WAITING": "16",
    }
    named = {f"FACESOCIAL__{name}": value for name, value in variables.items()}
    with gated(tmp_path_factory.mktemp("gated"), **named) as house:
        yield house


@pytest.fixture
def gate(house: tuple[Service, Gate]) -> Iterator[Gate]:
    """Shut."""
    _, gate = house
    gate.shut()
    yield gate
    gate.open()


@pytest.fixture
async def callers(house: tuple[Service, Gate], gate: Gate) -> AsyncIterator[Callers]:
    """Of a service that nobody else uses."""
    async with calling(*house) as callers:
        yield callers
        gate.open()
        await asyncio.wait(callers.tasks)
        for cost in Cost:
            await callers.come_to_wait(cost, 0)
        assert gate.nobody_else()


async def test_r14_the_third_is_told_where_it_would_stand(callers: Callers, gate: Gate) -> None:
    """1 runs, 1 waits; 10 more are 503 with `Retry-After` and their place in the queue; the two are answered."""
    first = callers.call(101)
    assert await gate.arrived(1) == [101]
    second = callers.call(102)
    await callers.come_to_wait(Cost.LIGHT, 1)
    for response in await asyncio.gather(*(callers.call(103 + n) for n in range(10))):
        assert (response.status_code, response.json()["code"]) == (503, "overloaded")
        assert int(response.headers["retry-after"]) >= 1
        assert response.json()["detail"] == ("no room for another light request: this would be number 2 in the queue")
    assert gate.nobody_else()
    gate.open()
    assert [response.status_code for response in await asyncio.gather(first, second)] == [200, 200]
    assert await gate.arrived(1) == [102]


async def test_r15_a_deadline_that_ends_in_the_queue(callers: Callers, gate: Gate) -> None:
    """504, never executed, its place in the queue free again."""
    first = callers.call(101)
    await gate.arrived(1)
    late = await callers.call(102, X_Timeout_Ms="100")
    assert (late.status_code, late.json()["code"]) == (504, "deadline_exceeded")
    assert late.json()["detail"] == "timeout expired: no answer within 0.1 s"
    await callers.come_to_wait(Cost.LIGHT, 0)
    third = callers.call(103)
    await callers.come_to_wait(Cost.LIGHT, 1)
    gate.open()
    assert [response.status_code for response in await asyncio.gather(first, third)] == [200, 200]
    assert await gate.arrived(1) == [103]


async def test_r18_a_deadline_that_ends_while_it_runs(callers: Callers, gate: Gate) -> None:
    """504 in time; the place is free when the network is done, and nobody is let in before."""
    began = time.monotonic()
    late = await callers.call(101, X_Timeout_Ms="500")
    assert 0.5 <= time.monotonic() - began < 1.5
    assert late.status_code == 504
    assert await gate.arrived(1) == [101]
    second = callers.call(102)
    await callers.come_to_wait(Cost.LIGHT, 1)
    assert (await callers.call(103)).status_code == 503
    assert gate.nobody_else()
    gate.open()
    assert (await second).status_code == 200
    assert await gate.arrived(1) == [102]


async def test_r17_a_client_who_leaves_is_given_up_once(callers: Callers, gate: Gate) -> None:
    """One who runs and one who waits leave: each is cancelled once in each process; who waits never reaches the model.

    The place of the one who runs is free when the network is done; who came after them is answered.
    """
    given_up, unanswered = callers.given_up(), callers.unanswered()
    runs = callers.call(101)
    assert await gate.arrived(1) == [101]
    waits = callers.call(102)
    await callers.come_to_wait(Cost.LIGHT, 1)
    waits.cancel()
    await callers.come_to_wait(Cost.LIGHT, 0)
    stays = callers.call(103)
    await callers.come_to_wait(Cost.LIGHT, 1)
    runs.cancel()
    processes = 2 if PIPELINE in workers(callers.service) else 1

    async def noticed() -> bool:
        return callers.given_up() >= given_up + 2 * processes

    await until(noticed)
    assert await callers.waiting(Cost.LIGHT) == 1, "its place is not given away while it runs"
    gate.open()
    assert (await stays).status_code == 200
    assert await gate.arrived(1) == [103]
    assert callers.given_up() == given_up + 2 * processes
    assert callers.unanswered() == unanswered + 2
    assert (await callers.call(104)).status_code == 200
    assert await gate.arrived(1) == [104]


async def test_r27_the_gauge_counts_those_who_wait(callers: Callers, gate: Gate) -> None:
    """20 for 4 places: 16, whoever is refused is not counted, then 0; each ran once."""
    crowd = [callers.call(100 + n, "/v1/deepfake") for n in range(20)]
    running = await gate.arrived(4)
    await callers.come_to_wait(Cost.HEAVY, 16)
    for response in await asyncio.gather(*(callers.call(200 + n, "/v1/deepfake") for n in range(3))):
        assert response.status_code == 503
        assert "number 17 in the queue" in response.json()["detail"]
    assert await callers.waiting(Cost.HEAVY) == 16
    assert await callers.waiting(Cost.LIGHT) == 0
    assert gate.nobody_else()
    gate.open()
    assert {response.status_code for response in await asyncio.gather(*crowd)} == {200}
    assert sorted(running + await gate.arrived(16)) == list(range(100, 120))
    assert await callers.waiting(Cost.HEAVY) == 0


async def test_a_flood_of_heavy_ones_leaves_light_ones_every_other_place(callers: Callers, gate: Gate) -> None:
    """A light one that comes after sixteen heavy ones that wait is the next to run."""
    flood = [callers.call(100 + n, "/v1/deepfake") for n in range(20)]
    await gate.arrived(4)
    await callers.come_to_wait(Cost.HEAVY, 16)
    light = callers.call(300)
    await callers.come_to_wait(Cost.LIGHT, 1)
    gate.open()
    await light
    assert 300 in await gate.arrived(4)
    await asyncio.gather(*flood)
    await gate.arrived(13)
