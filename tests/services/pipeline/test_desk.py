"""The desk of one process: places, what becomes of whoever gives up, and its end."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from facesocial.configuration import Configuration
from facesocial.errors import InputError, NotReady, Overloaded
from services.deadline import Deadline
from services.pipeline.desk import LocalDesk
from services.pipeline.inquiry import EncodedImage, Inquiry
from services.pipeline.report import Findings
from tests.pictures import plain
from tests.services.desks import gated_desk

pytestmark = pytest.mark.unit


@pytest.fixture
def desk(gated: Any) -> Iterator[LocalDesk]:
    """One runs, two wait."""
    desk = gated_desk(gated, Configuration.model_validate({"admission": {"light_waiting": 2}}))
    yield desk
    gated.gate.set()
    desk.threads.shutdown()


def inquiry(*images: bytes) -> Inquiry:
    pictures = tuple(EncodedImage(image, "") for image in images or (plain(),))
    return Inquiry("an-id", pictures, Deadline.after(30), ())


def ask(desk: LocalDesk, *images: bytes) -> asyncio.Task[Findings]:
    return asyncio.create_task(desk.ask(inquiry(*images)))


async def begun(gated: Any) -> None:
    """One more has begun."""
    assert await asyncio.to_thread(gated.entered.acquire, timeout=30)


async def idle(desk: LocalDesk) -> bool:
    """Whether every place is given back; a thread tells the loop so after its answer."""
    for _ in range(1000):
        if not any(queue.running or queue.waiting for queue in desk.turns._queues.values()):
            return True
        await asyncio.sleep(0.005)
    return False


async def test_r14_who_finds_no_room_is_told_at_once_and_the_others_are_answered(desk: LocalDesk, gated: Any) -> None:
    first, second, third = (ask(desk) for _ in range(3))
    await begun(gated)
    with pytest.raises(Overloaded, match="number 3 in the queue"):
        await desk.ask(inquiry())
    gated.gate.set()
    assert all(len(findings.reports) == 1 for findings in await asyncio.gather(first, second, third))
    assert gated.began == 3
    assert await idle(desk)


async def test_r17_who_gives_up_while_waiting_never_reaches_the_model(desk: LocalDesk, gated: Any) -> None:
    first, second, third = (ask(desk) for _ in range(3))
    await begun(gated)
    second.cancel()
    await asyncio.wait([second])
    fourth = ask(desk)  # takes the room that is free again
    gated.gate.set()
    await asyncio.gather(first, third, fourth)
    assert second.cancelled()
    assert gated.began == 3
    assert await idle(desk)


async def test_r17_who_gives_up_while_it_runs_keeps_the_place_until_the_network_is_done(
    desk: LocalDesk, gated: Any
) -> None:
    """The second picture is not begun for nobody."""
    first, second = ask(desk, plain(), plain()), ask(desk)
    await begun(gated)
    first.cancel()
    await asyncio.wait([first])
    assert first.cancelled()
    assert gated.began == 1, "its place is not given away while it runs"
    gated.gate.set()
    await second
    assert gated.began == 2
    assert await idle(desk)


async def test_an_error_gives_the_place_back(desk: LocalDesk, gated: Any) -> None:
    for _ in range(5):
        with pytest.raises(InputError):
            await desk.ask(inquiry(b"no picture"))
    assert await idle(desk)
    assert gated.began == 0


async def test_at_the_end_who_runs_is_answered_and_who_waits_is_told(desk: LocalDesk, gated: Any) -> None:
    """Not an unexpected error, and nobody waits for ever (R32)."""
    first, second, third = (ask(desk) for _ in range(3))
    await begun(gated)
    gated.close = lambda: None
    closing = asyncio.create_task(asyncio.to_thread(desk.close))
    while not desk.threads._shutdown:  # noqa: ASYNC110 — a thread sets it
        await asyncio.sleep(0.005)
    gated.gate.set()
    await closing
    assert len((await first).reports) == 1
    for other in (second, third, ask(desk)):
        with pytest.raises(NotReady, match="shutting down"):
            await other
    assert await idle(desk)
    assert gated.began == 1
