"""The result cache: the same question of the same tenant to the same models is answered once."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeVar

import structlog
from redis.exceptions import OutOfMemoryError, RedisError

from facesocial.configuration import CacheSettings
from services.cache.keys import KEY_BYTES, Keys, Question
from services.cache.store import MemoryStore, RedisStore, Store
from services.cache.vault import Vault

log = structlog.get_logger(__name__)

T = TypeVar("T")

RETRY_S: Final = 1.0
"""Between attempts while the store is away."""

EPOCH_S: Final = 86_400
"""Of an epoch; when it ends the tenant's answers are computed anew."""

INLINE_BYTES: Final = 1 << 18
"""Of pictures that are hashed on the event loop, in about 0.2 ms; more go to a thread."""


@dataclass(frozen=True, slots=True)
class Counts:
    """Since the start. Each question is a hit or a miss.

    Attributes:
        unreadable: misses because what was found could not be opened.
        kept: answers that were put in.
        too_large: answers longer than an entry may be.
        failures: the store could not be used; it is not asked for a second after that, nor counted.
    """

    hits: int = 0
    misses: int = 0
    unreadable: int = 0
    kept: int = 0
    too_large: int = 0
    failures: int = 0


@dataclass(frozen=True, slots=True)
class Lookup:
    """Attributes:
    question: what was asked.
    place: where the answer belongs, in the epoch in which the question came; None: nowhere at this moment.
    value: the answer, when it was there.
    """

    question: Question
    place: bytes | None = None
    value: bytes | None = None


class ResultCache:
    """Nothing that befalls the store is an error here: there is no answer then, and none is kept.

    A tenant's epoch is a random number in the same store and part of every place. Without it nothing of before is
    found, for the next is random again: to drop it is an erasure, and what a restart or an eviction loses revives
    nothing. (After a failover to a Redis that had not heard of it, an answer lives until its time is over.)

    Args:
        settings: how much for how long; disabled, nothing is found, kept or counted.
        redis: where Redis is; None: answers stay in this process. Not without `settings.secret`.
        store: in place of what these two say.
    """

    def __init__(self, settings: CacheSettings, redis: str | None = None, store: Store | None = None) -> None:
        secret = settings.secret.get_secret_value().encode() if settings.secret else secrets.token_bytes(KEY_BYTES)
        self._settings = settings
        self._keys = Keys(secret)
        self._vault = Vault(secret)
        self._store = store or (RedisStore(redis) if redis else MemoryStore(settings.megabytes << 20))
        self._counter: Counter[str] = Counter()
        self._owed: dict[str, object] = {}
        self._away_until: float | None = None
        self._full = False

    @property
    def counts(self) -> Counts:
        """What came of it so far."""
        return Counts(**self._counter)

    @property
    def away(self) -> bool:
        """Whether the store could not be used when it was last asked."""
        return self._away_until is not None

    async def find(self, question: Question) -> Lookup:
        """The answer that was given to this question before, if it is still there."""
        if not self._settings.enabled:
            return Lookup(question)
        lookup = await self._ask(lambda store: self._found(store, question)) or Lookup(question)
        self._counter["misses" if lookup.value is None else "hits"] += 1
        return lookup

    async def keep(self, lookup: Lookup, value: bytes, models: Mapping[str, str]) -> None:
        """Keeps the answer to a question for which there was none.

        Args:
            lookup: what `find` said before the work began; an erasure since then has ended the place it names.
            value: the whole answer.
            models: alias → tag of those who gave it; not kept when others came into service meanwhile.
        """
        place, question = lookup.place, lookup.question
        if place is None or not models.items() <= question.tags.items():
            return
        if len(value) > self._settings.entry_kib << 10:
            self._counter["too_large"] += 1
            return
        sealed = self._vault.seal(question.tenant, place, value)

        async def put(store: Store) -> bool:
            await store.put(place, sealed, self._settings.ttl_s)
            return True

        if await self._ask(put):
            self._counter["kept"] += 1
            self._full = False

    async def forget(self, tenant: str) -> bool:
        """Ends the tenant's epoch: no answer of before is found again, nor one that is being computed.

        Returns:
            False: the store is away. This process asks nothing of it before it knows, but what another one finds there
            it may give until its time is over.
        """
        self._owed[tenant] = debt = object()
        self._away_until = self._away_until and 0.0  # an erasure does not wait for the second to pass
        await self._ask(_nothing)
        return self._owed.get(tenant) is not debt

    async def aclose(self) -> None:
        """Hang up on Redis."""
        await self._store.aclose()

    async def _found(self, store: Store, question: Question) -> Lookup:
        tenant = question.tenant
        epoch = await store.settle(self._keys.epoch(tenant), secrets.token_bytes(KEY_BYTES), EPOCH_S)
        small = sum(map(len, question.sources)) <= INLINE_BYTES
        place = (
            self._keys.answer(question, epoch) if small else await asyncio.to_thread(self._keys.answer, question, epoch)
        )
        sealed = await store.get(place)
        value = None if sealed is None else self._vault.open(tenant, place, sealed)
        if sealed is not None and value is None:
            self._counter["unreadable"] += 1
        return Lookup(question, place, value)

    async def _ask(self, ask: Callable[[Store], Awaitable[T]]) -> T | None:
        """None: the store is away, or full."""
        if time.monotonic() < (self._away_until or 0):
            return None
        try:
            await self._pay()
            answer = await ask(self._store)
        except OutOfMemoryError:
            self._counter["failures"] += 1
            if not self._full:
                log.warning("Redis is full and evicts nothing: answers are not kept")
            self._full = True
            return None
        except (RedisError, OSError, TimeoutError) as error:
            self._counter["failures"] += 1
            if self._away_until is None:
                log.warning("the result cache is away: every answer is computed", reason=type(error).__name__)
            self._away_until = time.monotonic() + RETRY_S
            return None
        if self._away_until is not None:
            log.warning("the result cache is back")
            self._away_until = None
        return answer

    async def _pay(self) -> None:
        """The erasures that the store does not know of yet."""
        for tenant, debt in tuple(self._owed.items()):
            await self._store.drop(self._keys.epoch(tenant))
            if self._owed.get(tenant) is debt:  # not when there was another erasure meanwhile
                del self._owed[tenant]


async def _nothing(store: Store) -> None:
    """Asked when a debt is all there is to pay."""
