"""checks.md E with Redis: one bucket for all processes, and none the less a bucket while Redis is away."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Callable

import pytest
import structlog

from facesocial.configuration import RateSettings
from facesocial.errors import RateLimited
from services.edge.caller import Caller
from services.edge.rates import Rates
from tests.redis_server import Redis

pytestmark = pytest.mark.integration

Replica = Callable[[int], Rates]

CALLER = Caller.of({"client": ("192.0.2.1", 1)})


@pytest.fixture
async def rates(redis: Redis) -> AsyncIterator[Replica]:
    """Replicas that permit so many requests a minute."""
    made: list[Rates] = []

    def replica(address: int) -> Rates:
        made.append(Rates(RateSettings(address=address), redis.url))
        return made[-1]

    yield replica
    for one in made:
        await one.aclose()


async def granted(*replicas: Rates, requests: int) -> int:
    """How many of so many requests, to one replica after the other."""
    got = 0
    for number in range(requests):
        try:
            await replicas[number % len(replicas)].spend(CALLER, "/v1/detect")
            got += 1
        except RateLimited:
            pass
    return got


async def test_e_two_replicas_have_one_bucket(rates: Replica) -> None:
    settings = RateSettings(address=20)
    assert await granted(rates(20), rates(20), requests=50) == 20
    assert await granted(Rates(settings), Rates(settings), requests=50) == 40  # without Redis each has its own


async def test_at_once_from_two_replicas(rates: Replica, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.edge.rates.PATIENCE_S", 30)  # on a busy machine, too
    replicas = rates(20), rates(20)
    answers = await asyncio.gather(*(granted(replicas[number % 2], requests=1) for number in range(60)))
    assert sum(answers) == 20


async def test_e_while_redis_is_away_each_process_counts_for_itself(redis: Redis, rates: Replica) -> None:
    """Not open, not closed; said once; and together again when it is back (R36: within five seconds)."""
    replica = rates(20)
    assert await granted(replica, requests=30) == 20
    redis.stop()
    with structlog.testing.capture_logs() as lines:
        assert await granted(replica, requests=30) == 20
        redis.restart()
        assert await granted(replica, requests=5) == 0
        deadline = time.monotonic() + 5
        while not await granted(replica, requests=1):
            assert time.monotonic() < deadline
            await asyncio.sleep(0.1)
    assert [line["event"].partition(":")[0] for line in lines] == ["Redis is away", "Redis is back"]
    assert await granted(replica, requests=30) == 19


async def test_a_redis_that_hangs_costs_a_request_a_quarter_of_a_second_once(redis: Redis, rates: Replica) -> None:
    replica = rates(1000)
    await replica.spend(CALLER, "/v1/detect")
    redis.process.send_signal(signal.SIGSTOP)
    try:
        began = time.monotonic()
        assert await granted(replica, requests=50) == 50
        assert time.monotonic() - began < 0.9
    finally:
        redis.process.send_signal(signal.SIGCONT)


@pytest.mark.parametrize("url", ["redis://localhost", "redis://localhost/3", "rediss://:word@localhost:6390/1"])
async def test_every_address_that_redis_py_takes_is_one(url: str) -> None:
    """Also one without a port, which `limits` does not take; nobody is asked yet."""
    await Rates(RateSettings(), url).aclose()
