"""R28 in one process: hits are exact and counted, and whatever goes wrong is a miss."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace

import pytest
import structlog
from redis.exceptions import OutOfMemoryError, RedisError
from redis.exceptions import TimeoutError as Late

from facesocial.configuration import CacheSettings
from services.cache import Counts, Question, ResultCache
from services.cache.store import MemoryStore

pytestmark = pytest.mark.unit

VALUE = b'{"faces": []}'


@dataclass
class Failing(MemoryStore):
    """A memory whose methods raise what `put`, `drop` or `all` is set to."""

    failures: dict[str, Exception] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__init__(1 << 20)

    def _fail(self, method: str) -> None:
        for failure in (self.failures.get("all"), self.failures.get(method)):
            if failure:
                raise failure

    async def get(self, place: bytes) -> bytes | None:
        self._fail("get")
        return await super().get(place)

    async def put(self, place: bytes, value: bytes, seconds: int) -> None:
        self._fail("put")
        await super().put(place, value, seconds)

    async def drop(self, place: bytes) -> None:
        self._fail("drop")
        await super().drop(place)


async def ask(cache: ResultCache, question: Question, value: bytes = VALUE) -> bool:
    """Whether the answer was there; keeps it where not."""
    lookup = await cache.find(question)
    if lookup.value is None:
        await cache.keep(lookup, value, question.tags)
    return lookup.value is not None


async def test_the_same_twice(question: Question) -> None:
    cache = ResultCache(CacheSettings())
    assert [await ask(cache, question) for _ in range(3)] == [False, True, True]
    assert (await cache.find(question)).value == VALUE
    assert cache.counts == Counts(hits=3, misses=1, kept=1)


@pytest.mark.parametrize(
    "change",
    [
        {"tenant": "bert"},
        {"route": "/v1/analyze"},
        {"sources": (b"Picture",)},
        {"parameters": {"max_faces": 4}},
        {"tags": {"face-detection": "a:2"}},
    ],
)
async def test_another_question(question: Question, change: dict[str, object]) -> None:
    cache = ResultCache(CacheSettings())
    await ask(cache, question)
    assert not await ask(cache, replace(question, **change))  # type: ignore[arg-type]
    assert cache.counts == Counts(misses=2, kept=2)


async def test_a_large_picture(question: Question) -> None:
    """Hashed in a thread."""
    cache = ResultCache(CacheSettings())
    large = replace(question, sources=(bytes(1 << 20),))
    assert [await ask(cache, large) for _ in range(2)] == [False, True]


async def test_full(question: Question) -> None:
    """The first is gone, the last is there, the memory is bounded, nothing fails."""
    store = MemoryStore(1 << 20)
    cache = ResultCache(CacheSettings(megabytes=1), store=store)
    many = [replace(question, sources=(b"%d" % number,)) for number in range(40)]
    assert not any([await ask(cache, one, bytes(100_000)) for one in many])
    assert store.used <= 1 << 20
    assert [await ask(cache, many[-1]), await ask(cache, many[0])] == [True, False]
    assert cache.counts == Counts(hits=1, misses=41, kept=41)


async def test_too_large(question: Question) -> None:
    cache = ResultCache(CacheSettings(entry_kib=1))
    assert [await ask(cache, question, bytes(1025)) for _ in range(2)] == [False, False]
    assert [await ask(cache, question, bytes(1024)) for _ in range(2)] == [False, True]
    assert cache.counts == Counts(hits=1, misses=3, kept=1, too_large=2)


async def test_another_model_came_into_service_meanwhile(question: Question) -> None:
    cache = ResultCache(CacheSettings())
    await cache.keep(await cache.find(question), VALUE, {"face-detection": "a:2"})
    assert not await ask(cache, question)


async def test_an_erasure(question: Question) -> None:
    """Also of what is being computed while it happens, and of nobody else's."""
    cache = ResultCache(CacheSettings())
    other = replace(question, tenant="bert")
    await ask(cache, question)
    await ask(cache, other)
    slow = await cache.find(replace(question, sources=(b"slow",)))
    assert await cache.forget("anna")
    await cache.keep(slow, VALUE, question.tags)
    assert not await ask(cache, question)
    assert not await ask(cache, slow.question)
    assert await ask(cache, other)


async def test_changed_in_the_store_is_a_miss(question: Question) -> None:
    store = MemoryStore(1 << 20)
    cache = ResultCache(CacheSettings(), store=store)
    await ask(cache, question)
    place = (await cache.find(question)).place
    assert place
    sealed = await store.get(place)
    assert sealed
    await store.put(place, sealed[:-1] + bytes([sealed[-1] ^ 1]), 60)
    assert (await cache.find(question)).value is None
    assert cache.counts == Counts(hits=1, misses=1 + 1, kept=1, unreadable=1)


async def test_another_secret_finds_nothing(question: Question) -> None:
    store = MemoryStore(1 << 20)
    caches = [ResultCache(CacheSettings(secret=letter * 32), store=store) for letter in "aab"]
    assert [await ask(cache, question) for cache in caches] == [False, True, False]


async def test_nothing_of_the_picture_or_the_answer_is_in_the_store(question: Question) -> None:
    store = MemoryStore(1 << 20)
    await ask(ResultCache(CacheSettings(), store=store), question)
    held = b"".join(place + entry.value for place, entry in store._entries.items())
    assert len(held) > 100
    assert [word for word in (b"picture", b"faces", b"anna", b"detect") if word in held] == []


async def test_disabled(question: Question) -> None:
    cache = ResultCache(CacheSettings(enabled=False))
    assert [await ask(cache, question) for _ in range(2)] == [False, False]
    assert cache.counts == Counts()


@pytest.mark.parametrize("error", [RedisError(), Late(), OSError(), TimeoutError()])
async def test_away(question: Question, error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    """Said once, asked once a second, and back by itself."""
    store = Failing()
    cache = ResultCache(CacheSettings(), store=store)
    await ask(cache, question)
    store.failures["all"] = error
    with structlog.testing.capture_logs() as lines:
        assert [await ask(cache, question) for _ in range(5)] == [False] * 5
        assert cache.counts == Counts(misses=6, kept=1, failures=1)
        monkeypatch.setattr("services.cache.cache.RETRY_S", 0.0)
        cache._away_until = 0.0
        assert not await ask(cache, question)
        store.failures.clear()
        assert await ask(cache, question)
    assert [line["event"].partition(":")[0] for line in lines] == [
        "the result cache is away",
        "the result cache is back",
    ]


async def test_what_cannot_be_put_in_fails_nobody(question: Question) -> None:
    """A Redis that is full and evicts nothing: what is there is found all the same."""
    store = Failing()
    cache = ResultCache(CacheSettings(), store=store)
    await ask(cache, question)
    store.failures["put"] = OutOfMemoryError()
    other = replace(question, sources=(b"other",))
    with structlog.testing.capture_logs() as lines:
        assert [await ask(cache, other) for _ in range(3)] == [False] * 3
        assert await ask(cache, question)
    assert len(lines) == 1
    assert cache.counts == Counts(hits=1, misses=4, kept=1, failures=3)


async def test_an_erasure_while_the_store_is_away_is_owed(question: Question) -> None:
    """False, and nothing is read of the store before it knows."""
    store = Failing()
    cache = ResultCache(CacheSettings(), store=store)
    await ask(cache, question)
    store.failures["drop"] = RedisError()
    assert not await cache.forget("anna")
    cache._away_until = 0.0
    assert (await cache.find(question)).value is None
    store.failures.clear()
    cache._away_until = 0.0
    assert not await ask(cache, question)
    assert await ask(cache, question)


async def test_an_erasure_does_not_wait_for_the_second(question: Question) -> None:
    store = Failing()
    cache = ResultCache(CacheSettings(), store=store)
    await ask(cache, question)
    store.failures["all"] = OSError()
    await ask(cache, question)
    store.failures.clear()
    assert await cache.forget("anna")
    assert not await ask(cache, question)


async def test_at_once(question: Question) -> None:
    cache = ResultCache(CacheSettings())
    await ask(cache, question)
    assert all(await asyncio.gather(*(ask(cache, question) for _ in range(200))))
    assert cache.counts.hits == 200
