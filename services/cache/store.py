"""Bytes at places, for a time: in this process, or in a Redis that several share."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

import structlog
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as Disconnected
from redis.exceptions import RedisError, ResponseError

log = structlog.get_logger(__name__)

PATIENCE_S: Final = 0.25
"""How long Redis may take for one command."""

CONNECTIONS: Final = 16
"""To Redis, of one process; who finds none free waits, for so long at most."""

ASK_S: Final = 60.0
"""Between two questions to a server whether it writes to disk; each new connection asks, too."""

PREFIX: Final = "facesocial:cache:"

ENTRY_BYTES: Final = 256
"""What Python takes for an entry beside place and value; 222 measured."""

SWEEP_S: Final = 10.0
"""Between two looks for what has ended and nobody asked for."""


class Store(Protocol):
    """Whatever is in it may be gone at any time.

    Raises:
        RedisError, OSError, TimeoutError: by each method, when the store cannot be used.
    """

    async def get(self, place: bytes) -> bytes | None:
        """What is there."""
        ...

    async def put(self, place: bytes, value: bytes, seconds: int) -> None:
        """In place of what is there, for so long."""
        ...

    async def settle(self, place: bytes, value: bytes, seconds: int) -> bytes:
        """What is there; `value`, from now on, where there is nothing."""
        ...

    async def drop(self, place: bytes) -> None:
        """Nothing is there any more."""
        ...

    async def aclose(self) -> None:
        """Hang up."""
        ...


@dataclass(frozen=True, slots=True)
class _Entry:
    value: bytes
    ends: float


class MemoryStore:
    """What was not used for longest goes first.

    Args:
        limit: bytes, with what Python takes.
        clock: seconds.
    """

    def __init__(self, limit: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = limit
        self._clock = clock
        self._entries: OrderedDict[bytes, _Entry] = OrderedDict()
        self._sweep = -math.inf
        self.used = 0

    async def get(self, place: bytes) -> bytes | None:
        """What is there."""
        entry = self._entries.get(place)
        if entry is None:
            return None
        if entry.ends <= self._clock():
            self._drop(place)
            return None
        self._entries.move_to_end(place)
        return entry.value

    async def put(self, place: bytes, value: bytes, seconds: int) -> None:
        """In place of what is there; not at all when it is longer than the whole store."""
        self._drop(place)
        self._drop_ended()
        size = _size(place, value)
        if size > self._limit:
            return
        while self.used + size > self._limit:
            self._drop(next(iter(self._entries)))
        self._entries[place] = _Entry(value, self._clock() + seconds)
        self.used += size

    async def settle(self, place: bytes, value: bytes, seconds: int) -> bytes:
        """What is there; `value`, from now on, where there is nothing."""
        found = await self.get(place)
        if found is None:
            await self.put(place, value, seconds)
        return value if found is None else found

    async def drop(self, place: bytes) -> None:
        """Nothing is there any more."""
        self._drop(place)

    async def aclose(self) -> None:
        """Forget all."""
        self._entries.clear()
        self.used = 0

    def _drop(self, place: bytes) -> None:
        if entry := self._entries.pop(place, None):
            self.used -= _size(place, entry.value)

    def _drop_ended(self) -> None:
        now = self._clock()
        if now < self._sweep:
            return
        self._sweep = now + SWEEP_S
        for place in [place for place, entry in self._entries.items() if entry.ends <= now]:
            self._drop(place)


class WritesToDisk(RedisError):
    """This Redis has snapshots or a log."""


class RedisStore:
    """Bounded by the length of an entry, its time, and the `maxmemory` of the server.

    A server that writes to disk is not used: a snapshot would keep answers beyond their time and, once restored,
    bring back an epoch that an erasure had ended. Where it may not be asked (`CONFIG` is forbidden) it is believed.

    Args:
        url: redis://, rediss:// or unix://.
        clock: seconds.
    """

    def __init__(self, url: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._pool = BlockingConnectionPool.from_url(
            url,
            max_connections=CONNECTIONS,
            timeout=PATIENCE_S,
            socket_timeout=PATIENCE_S,
            socket_connect_timeout=PATIENCE_S,
            retry=Retry(NoBackoff(), 1, (Disconnected,)),  # a connection that an old server closed is not yet a sign
            redis_connect_func=self._greet,
        )
        self._redis = Redis.from_pool(self._pool)
        self._clock = clock
        self._ask_at = clock() + ASK_S
        self._blind = False

    async def get(self, place: bytes) -> bytes | None:
        """What is there."""
        await self._check()
        found = await self._redis.get(_name(place))
        return found if isinstance(found, bytes) else None

    async def put(self, place: bytes, value: bytes, seconds: int) -> None:
        """In place of what is there, for so long."""
        await self._check()
        await self._redis.set(_name(place), value, ex=seconds)

    async def settle(self, place: bytes, value: bytes, seconds: int) -> bytes:
        """What is there; `value`, from now on, where there is nothing. One winner among all who settle at once."""
        if (found := await self.get(place)) is not None:  # a full server still reads
            return found
        earlier = await self._redis.set(_name(place), value, ex=seconds, nx=True, get=True)
        return earlier if isinstance(earlier, bytes) else value

    async def drop(self, place: bytes) -> None:
        """Nothing is there any more; a full server does that too."""
        await self._check()
        await self._redis.delete(_name(place))

    async def aclose(self) -> None:
        """Hang up."""
        await self._redis.aclose()

    async def _greet(self, connection: AbstractConnection) -> None:
        """A new connection may lead to another server than the last one, or to one that was started anew."""
        await connection.on_connect()
        await self._ask(connection)

    async def _check(self) -> None:
        """What we are connected to can be told to write while it runs."""
        if self._clock() < self._ask_at:
            return
        connection = await self._pool.get_connection()  # type: ignore[no-untyped-call]
        try:
            await self._ask(connection)
        finally:
            await self._pool.release(connection)
        self._ask_at = self._clock() + ASK_S

    async def _ask(self, connection: AbstractConnection) -> None:
        """Raises:
        WritesToDisk: it does.
        """
        for name, none in (("save", b""), ("appendonly", b"no")):  # Redis 6 takes one name at a time
            await connection.send_command("CONFIG", "GET", name)
            try:
                found = await connection.read_response()  # as RESP2 or RESP3 have it
                *_, value = found.values() if isinstance(found, dict) else found
            except (ResponseError, ValueError):  # forbidden, or not Redis itself: it does not know the name
                if not self._blind:
                    log.warning("cannot ask whether this Redis writes to disk")
                self._blind = True
                return
            if value != none:
                raise WritesToDisk


def _size(place: bytes, value: bytes) -> int:
    return len(place) + len(value) + ENTRY_BYTES


def _name(place: bytes) -> str:
    return PREFIX + place.hex()
