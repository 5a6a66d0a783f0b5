"""Where a request is served: its deadline, its body, its answer, and every error a problem."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from typing import Any

import pytest
import structlog
from starlette.responses import Response
from starlette.types import Message

from services.cache import tags
from services.edge.caller import Caller
from services.edge.timeout import TIMEOUT
from services.identity import Identity
from tests.pictures import plain
from tests.services.edge.counters import HERE, Front

pytestmark = pytest.mark.unit


@pytest.fixture
def front(gated: Any) -> Iterator[Callable[..., Front]]:
    """`front(places, **settings)`."""
    made: list[Front] = []

    def make(places: int = 1, **settings: Any) -> Front:
        made.append(Front(gated, places, **settings))
        return made[-1]

    yield make
    gated.gate.set()
    for one in made:
        one.close()


def said(response: Response) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(bytes(response.body))
    return body


async def test_an_answer(front: Callable[..., Front], gated: Any) -> None:
    gated.gate.set()
    response = await front().detect()
    assert (response.status_code, response.media_type) == (200, "application/json")
    assert said(response)["request_id"] == "an-id"
    assert said(response)["timing_ms"]["upload"] > 0
    assert said(response)["cached"] is False


@pytest.mark.parametrize(
    ("given", "seconds"), [("50", "0.05"), ("99", "0.099"), ("100", "0.1"), ("1000", "0.1"), ("999999999", "0.1")]
)
async def test_r15_a_caller_shortens_the_deadline_and_never_lengthens_it(
    front: Callable[..., Front], gated: Any, given: str, seconds: str
) -> None:
    service = front(server={"deadline_ms": 100})
    began = time.monotonic()
    response = await service.detect(headers=((TIMEOUT, given),))
    assert float(seconds) <= time.monotonic() - began < 5
    assert response.status_code == 504
    assert said(response)["code"] == "deadline_exceeded"
    assert said(response)["detail"] == f"timeout expired: no answer within {seconds} s"


async def test_r15_expired_ones_are_never_executed(front: Callable[..., Front], gated: Any) -> None:
    """One runs, eight wait, two are refused; all nine expire, and the eight never reach the model."""
    service = front(server={"deadline_ms": 100}, admission={"light_waiting": 8}, cache={"enabled": False})
    responses = await asyncio.gather(*(service.detect() for _ in range(11)))
    assert sorted(response.status_code for response in responses) == [503] * 2 + [504] * 9
    for response in responses:
        if response.status_code == 503:
            assert int(response.headers["retry-after"]) >= 1
            assert said(response)["detail"].endswith("this would be number 9 in the queue")
    gated.gate.set()
    assert (await service.detect()).status_code == 200
    assert gated.began == 2


@pytest.mark.parametrize("given", ["", "0", "-1", "1.5", "1e3", "1s", " 1", "٣", "1" * 10, "nan"])
async def test_a_deadline_that_is_none_is_422_before_anything_is_read(front: Callable[..., Front], given: str) -> None:
    async def receive() -> Message:
        pytest.fail("it was read")

    response = await front().detect(receive=receive, headers=((TIMEOUT, given.encode().decode("latin-1")),))
    assert (response.status_code, said(response)["code"]) == (422, "validation_error")
    assert TIMEOUT in said(response)["detail"]


@pytest.mark.parametrize("step", ["find", "keep"])
async def test_r15_a_cache_that_does_not_answer_is_waited_for_no_longer(
    front: Callable[..., Front], gated: Any, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    async def silent(*_: object) -> None:
        await asyncio.sleep(60)

    service = front()
    gated.gate.set()
    assert (await service.detect()).status_code == 200
    monkeypatch.setattr(service.cache, step, silent)
    began = time.monotonic()
    response = await service.detect(headers=((TIMEOUT, "100"),), query="max_faces=7")
    assert (response.status_code, time.monotonic() - began < 5) == (504, True)
    assert service.counter._intake.held == 0


async def test_two_deadlines_are_422(front: Callable[..., Front]) -> None:
    response = await front().detect(headers=((TIMEOUT, "50"), (TIMEOUT, "60")))
    assert (response.status_code, said(response)["code"]) == (422, "validation_error")


async def test_the_deadline_is_of_the_upload_too(front: Callable[..., Front], gated: Any) -> None:
    """A body that does not come is 504, and what had come of it is given back."""
    service, calls = front(), 0

    async def receive() -> Message:
        nonlocal calls
        calls += 1
        if calls > 1:
            await asyncio.Event().wait()
        return {"type": "http.request", "body": bytes(1000), "more_body": True}

    response = await service.detect(receive=receive, headers=((TIMEOUT, "50"),))
    assert (response.status_code, calls) == (504, 2)
    assert service.counter._intake.held == 0
    assert gated.began == 0


async def test_bodies_in_memory_are_bounded(front: Callable[..., Front]) -> None:
    """Many slow senders: who wants to keep too much is told to come again; the others go on."""
    service = front(admission={"body_mib": 16}, limits={"image_bytes": 4 << 20})
    full, go = asyncio.Event(), asyncio.Event()

    async def sent(number: int) -> Response:
        pieces = iter((bytes(4 << 20), b""))

        async def slow() -> Message:
            piece = next(pieces)
            if not piece:
                if service.counter._intake.held == 16 << 20:
                    full.set()
                await go.wait()
            return {"type": "http.request", "body": piece, "more_body": bool(piece)}

        return await service.detect(receive=slow, caller=Caller(ip_address(f"192.0.2.{number}")))

    slow = [asyncio.create_task(sent(number)) for number in range(2, 6)]
    await full.wait()
    response = await service.detect()
    assert (response.status_code, said(response)["code"]) == (503, "overloaded")
    assert response.headers["retry-after"] == "1"
    go.set()
    assert [response.status_code for response in await asyncio.gather(*slow)] == [415] * 4
    assert service.counter._intake.held == 0


async def test_a_defect_is_logged_and_not_told(front: Callable[..., Front], gated: Any) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("/secret/path")

    gated.detect = fail
    with structlog.testing.capture_logs() as lines:
        response = await front().detect()
    assert response.status_code == 500
    assert b"secret" not in response.body
    assert [(line["event"], line["request_id"]) for line in lines] == [("unhandled", "an-id")]


async def test_the_same_question_is_answered_again(front: Callable[..., Front], gated: Any) -> None:
    """With a new id, marked, with the time of this request; without a turn, so also when there is no room."""
    gated.gate.set()
    service = front(admission={"light_waiting": 0})
    first = said(await service.detect())
    gated.gate.clear()
    busy = asyncio.create_task(service.detect(plain("PNG", 50)))
    await asyncio.to_thread(gated.entered.acquire)
    await asyncio.to_thread(gated.entered.acquire)
    again = said(await service.detect(identity="another-id"))
    assert again.keys() == first.keys()
    assert (again["request_id"], again["cached"], again["timing_ms"].keys()) == ("another-id", True, {"upload"})
    own = ("request_id", "cached", "timing_ms")
    assert {**again, **dict.fromkeys(own)} == {**first, **dict.fromkeys(own)}
    assert gated.began == 2
    gated.gate.set()
    await busy


@pytest.mark.parametrize(
    "other",
    [
        {"content": plain("PNG", 65)},
        {"query": "max_faces=2"},
        {"query": "min_score=0.4"},
        {"declared": "image/png"},
        {"caller": Caller(ip_address("192.0.2.2"))},
        {"caller": Caller(HERE.address, Identity("operator", "admin"))},
        {"headers": (("Cache-Control", "no-store"),)},
    ],
    ids=lambda other: next(iter(other)),
)
async def test_another_question_is_not(front: Callable[..., Front], gated: Any, other: dict[str, Any]) -> None:
    gated.gate.set()
    service = front()
    await service.detect()
    assert said(await service.detect(**other))["cached"] is False
    assert said(await service.detect())["cached"] is True
    assert said(await service.detect(**other))["cached"] is ("headers" not in other)


async def test_other_models_are_another_question(
    front: Callable[..., Front], gated: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the answer of a model that the alias names no more is not kept."""
    monkeypatch.setattr(tags, "FRESH_S", 0.0)
    gated.gate.set()
    service = front()
    await service.detect()
    service.tag = "b:1"
    assert said(await service.detect())["cached"] is False
    assert said(await service.detect())["cached"] is False, "a:1 still answers"
    service.tag = "a:1"
    assert said(await service.detect())["cached"] is True


async def test_an_error_is_not_kept(front: Callable[..., Front], gated: Any) -> None:
    gated.gate.set()
    service = front()
    for _ in range(2):
        assert (await service.detect(b"no picture")).status_code == 415
    assert service.cache.counts.kept == 0
