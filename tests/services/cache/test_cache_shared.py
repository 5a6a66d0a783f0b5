"""R28 with Redis: the replicas have one cache, an erasure reaches all, and a Redis that is gone is a miss."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing

import pytest
import structlog

from facesocial.configuration import CacheSettings
from services.cache import Counts, Question, ResultCache
from services.cache.cache import RETRY_S
from services.cache.store import ASK_S, RedisStore
from tests.redis_server import Redis
from tests.services.cache.conftest import Clock
from tests.services.cache.test_cache import VALUE, ask

pytestmark = pytest.mark.integration

Replica = Callable[..., ResultCache]

SECRET = "s" * 32


@pytest.fixture
async def replica(redis: Redis) -> AsyncIterator[Replica]:
    """One more of them."""
    made: list[ResultCache] = []

    def make(secret: str = SECRET) -> ResultCache:
        made.append(ResultCache(CacheSettings(secret=secret, ttl_s=60), redis.url))
        return made[-1]

    yield make
    for one in made:
        await one.aclose()


def told(redis: Redis, *command: str) -> str:
    """What `redis-cli` prints."""
    run = subprocess.run(["redis-cli", "-s", redis.url[7:], *command], capture_output=True, check=True)
    return run.stdout.decode(errors="replace").strip()


async def recovered(cache: ResultCache, question: Question) -> None:
    """Within five seconds (R36)."""
    deadline = time.monotonic() + 5
    while (await cache.find(question)).place is None:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.1)


async def test_two_replicas_have_one_cache(replica: Replica, question: Question) -> None:
    first, second = replica(), replica()
    assert [await ask(first, question), await ask(second, question)] == [False, True]
    assert (first.counts, second.counts) == (Counts(misses=1, kept=1), Counts(hits=1))
    assert not await ask(replica("t" * 32), question)


async def test_an_erasure_reaches_all(replica: Replica, question: Question) -> None:
    first, second = replica(), replica()
    await ask(first, question)
    slow = await second.find(question)
    assert await first.forget(question.tenant)
    await second.keep(slow, VALUE, question.tags)
    assert [await ask(second, question), await ask(first, question)] == [False, True]


async def test_the_first_question_at_once(
    replica: Replica, question: Question, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both find the same epoch, whoever made it; more at once than there are connections."""
    monkeypatch.setattr("services.cache.store.PATIENCE_S", 30)  # on a busy machine, too
    replicas = replica(), replica()
    lookups = await asyncio.gather(*(replicas[number % 2].find(question) for number in range(200)))
    assert len({lookup.place for lookup in lookups}) == 1
    assert lookups[0].place


async def test_what_is_there(redis: Redis, replica: Replica, question: Question) -> None:
    """It ends by itself, and nothing of the question or the answer can be read."""
    await ask(replica(), question)
    names = told(redis, "keys", "*").split()
    assert len(names) == 2
    assert all(name.startswith("facesocial:cache:") for name in names)
    assert sorted(int(told(redis, "ttl", name)) // 61 for name in names) == [0, 86_400 // 61]
    held = " ".join([*names, *(told(redis, "get", name) for name in names)])
    assert [word for word in ("picture", '"faces"', "anna", "detect", "face-detection") if word in held] == []


async def test_killed_in_the_middle(redis: Redis, replica: Replica, question: Question) -> None:
    """Between looking and keeping; said once; nothing of before is there when it is back."""
    cache = replica()
    await ask(cache, question)
    lookup = await cache.find(question)
    redis.stop()
    with structlog.testing.capture_logs() as lines:
        await cache.keep(lookup, VALUE, question.tags)
        assert [await ask(cache, question) for _ in range(20)] == [False] * 20
        redis.restart()
        await recovered(cache, question)
    assert [line["event"].partition(":")[0] for line in lines] == [
        "the result cache is away",
        "the result cache is back",
    ]
    assert [await ask(cache, question) for _ in range(2)] == [False, True]


async def test_a_restart_that_nobody_noticed(redis: Redis, replica: Replica, question: Question) -> None:
    cache = replica()
    await ask(cache, question)
    redis.stop()
    redis.restart()
    assert [await ask(cache, question) for _ in range(2)] == [False, True]
    assert cache.counts.failures == 0


async def test_not_there_at_the_start(redis: Redis, replica: Replica, question: Question) -> None:
    redis.stop()
    cache = replica()
    assert not await ask(cache, question)
    redis.restart()
    await recovered(cache, question)


async def test_hangs(redis: Redis, replica: Replica, question: Question) -> None:
    """One request waits a quarter of a second."""
    cache = replica()
    await ask(cache, question)
    redis.process.send_signal(signal.SIGSTOP)
    try:
        began = time.monotonic()
        assert [await ask(cache, question) for _ in range(50)] == [False] * 50
        assert 0.2 < time.monotonic() - began < 0.9
    finally:
        redis.process.send_signal(signal.SIGCONT)


async def test_full(redis: Redis, replica: Replica, question: Question) -> None:
    """Nothing is kept, what is there is found, and an erasure works."""
    cache = replica()
    await ask(cache, question)
    told(redis, "config", "set", "maxmemory", "1")
    other = Question("bert", question.route, question.sources, question.parameters, question.tags)
    assert [await ask(cache, other), await ask(cache, other), await ask(cache, question)] == [False, False, True]
    assert cache.counts.failures == 2
    assert await cache.forget(question.tenant)
    told(redis, "config", "set", "maxmemory", "0")
    assert [await ask(cache, one) for one in (question, question, other, other)] == [False, True, False, True]


@pytest.mark.parametrize(("name", "value"), [("save", "3600 1"), ("appendonly", "yes")])
async def test_a_redis_that_writes_to_disk_is_not_used(
    redis: Redis, replica: Replica, question: Question, name: str, value: str
) -> None:
    assert told(redis, "config", "set", name, value) == "OK"
    cache = replica()
    with structlog.testing.capture_logs() as lines:
        assert [await ask(cache, question) for _ in range(2)] == [False, False]
    assert [line["reason"] for line in lines] == ["WritesToDisk"]
    assert told(redis, "keys", "*") == ""


@pytest.mark.parametrize("noticed", [True, False])
@pytest.mark.parametrize("options", [("--save", "60 1"), ("--appendonly", "yes")])
async def test_nor_one_that_begins_to_write_when_it_is_started_anew(
    redis: Redis, replica: Replica, question: Question, options: tuple[str, str], noticed: bool
) -> None:
    """Whether somebody asked while it was away or not; and it is used again when it writes no more."""
    cache = replica()
    await ask(cache, question)
    redis.stop()
    if noticed:
        assert not await ask(cache, question)
    redis.restart(*options)
    until = time.monotonic() + 1.5 * RETRY_S
    while time.monotonic() < until:
        assert (await cache.find(question)).place is None
        await asyncio.sleep(0.1)
    assert told(redis, "keys", "*") == ""
    redis.stop()
    redis.restart()
    await recovered(cache, question)


async def test_nor_one_that_begins_to_write_while_it_runs(redis: Redis, question: Question, clock: Clock) -> None:
    """It is asked once a minute."""
    async with aclosing(ResultCache(CacheSettings(secret=SECRET), store=RedisStore(redis.url, clock))) as cache:
        assert not await ask(cache, question)
        told(redis, "config", "set", "save", "60 1")
        clock.now = ASK_S - 1
        assert await ask(cache, question)
        clock.now = ASK_S
        with structlog.testing.capture_logs() as lines:
            assert not await ask(cache, question)
        assert [line["reason"] for line in lines] == ["WritesToDisk"]
        told(redis, "config", "set", "save", "")
        await recovered(cache, question)
        told(redis, "config", "set", "appendonly", "yes")
        clock.now = 2 * ASK_S - 1
        assert await ask(cache, question)
        clock.now = 2 * ASK_S
        assert not await ask(cache, question)


async def test_a_redis_that_may_not_be_asked_is_believed(redis: Redis, replica: Replica, question: Question) -> None:
    """Said once, however often it is started anew."""
    cache, forbidden = replica(), ("acl", "setuser", "default", "-config")
    with structlog.testing.capture_logs() as lines:
        for _ in range(2):
            told(redis, *forbidden)
            assert [await ask(cache, question) for _ in range(2)] == [False, True]
            redis.stop()
            redis.restart()
    assert [(line["log_level"], line["event"]) for line in lines] == [
        ("warning", "cannot ask whether this Redis writes to disk")
    ]
