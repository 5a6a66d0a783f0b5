"""How often somebody may ask: a window that slides, for each name, address and path."""

from __future__ import annotations

import math
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, TypeVar

import structlog
from limits import RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage, RedisStorage
from limits.aio.strategies import MovingWindowRateLimiter
from redis.asyncio import ConnectionPool
from redis.exceptions import RedisError

from facesocial.configuration import RateSettings
from facesocial.errors import RateLimited
from services.edge.caller import Caller

log = structlog.get_logger(__name__)

T = TypeVar("T")

PATIENCE_S: Final = 0.25
"""How long Redis may take; a request waits for it once."""

RETRY_S: Final = 1.0
"""Between attempts while Redis is away."""


@dataclass(frozen=True, slots=True)
class Rule:
    """At most `item.amount` a minute of `key`; `whose` is for people."""

    item: RateLimitItemPerMinute
    key: str
    whose: str


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left to a caller under the rule that is nearest to its end; in `reset` seconds there is more."""

    limit: int
    remaining: int
    reset: int

    @property
    def headers(self) -> Mapping[str, str]:
        """draft-ietf-httpapi-ratelimit-headers-06."""
        return {
            "RateLimit-Limit": str(self.limit),
            "RateLimit-Remaining": str(self.remaining),
            "RateLimit-Reset": str(self.reset),
        }


class Rates:
    """Counts requests, in Redis where there is one, in this process without and while it is away.

    Args:
        settings: how many.
        redis: where Redis is; None: nowhere.
    """

    def __init__(self, settings: RateSettings, redis: str | None = None) -> None:
        self._settings = settings
        self._endpoints = sorted(settings.endpoints, key=len, reverse=True)
        self._own = MovingWindowRateLimiter(MemoryStorage())
        self._pool = _pool(redis) if redis else None
        self._shared = MovingWindowRateLimiter(_storage(self._pool)) if self._pool else None
        self._away_until: float | None = None

    async def spend(self, caller: Caller, path: str) -> Allowance | None:
        """Counts a request; None: this caller is not counted.

        Raises:
            RateLimited: there were as many as permitted; this one is not counted.
        """
        left: list[Allowance] = []
        for rule in self._rules(caller, path):
            granted, allowance = await self._ask(partial(_spent, rule))
            if not granted:
                words = f"more than {rule.item.amount} requests a minute {rule.whose}"
                raise RateLimited(words, rule.item.amount, max(1, allowance.reset))
            left.append(allowance)
        return min(left, key=lambda allowance: allowance.remaining, default=None)

    @property
    def alone(self) -> bool:
        """Whether there should be a Redis and, when it was last asked, was none: each process counts for itself."""
        return self._away_until is not None

    async def aclose(self) -> None:
        """Hang up on Redis."""
        if self._pool:
            await self._pool.aclose()

    def _rules(self, caller: Caller, path: str) -> Iterator[Rule]:
        """The narrowest first: what it refuses is not counted by the others."""
        who, trusted = caller.identity, caller.comes_from(self._settings.trusted_networks)
        if who is None and trusted:
            return
        key = caller.key
        prefix = next((prefix for prefix in self._endpoints if f"{path}/".startswith(f"{prefix}/")), None)
        if prefix:
            item = RateLimitItemPerMinute(self._settings.endpoints[prefix])
            yield Rule(item, f"{key}|{prefix}", f"to {prefix}")
        if who:
            yield Rule(RateLimitItemPerMinute(getattr(self._settings, who.role)), key, f"of one {who.role}")
        if not trusted:
            yield Rule(RateLimitItemPerMinute(self._settings.address), f"from:{caller.place}", "from one address")

    async def _ask(self, ask: Callable[[MovingWindowRateLimiter], Awaitable[T]]) -> T:
        if self._shared and time.monotonic() >= (self._away_until or 0):
            try:
                answer = await ask(self._shared)
            except (RedisError, OSError, TimeoutError) as error:
                if self._away_until is None:
                    log.warning("Redis is away: each process counts for itself", reason=type(error).__name__)
                self._away_until = time.monotonic() + RETRY_S
            else:
                if self._away_until is not None:
                    log.warning("Redis is back: all processes count together")
                    self._away_until = None
                return answer
        return await ask(self._own)


async def _spent(rule: Rule, limiter: MovingWindowRateLimiter) -> tuple[bool, Allowance]:
    granted = await limiter.hit(rule.item, rule.key)
    window = await limiter.get_window_stats(rule.item, rule.key)
    reset = max(0, math.ceil(window.reset_time - time.time()))
    return granted, Allowance(rule.item.amount, max(0, window.remaining), reset)


def _pool(url: str) -> ConnectionPool:
    return ConnectionPool.from_url(url, socket_timeout=PATIENCE_S, socket_connect_timeout=PATIENCE_S)


def _storage(pool: ConnectionPool) -> RedisStorage:
    """`limits` wants an address that it can parse, though the pool has it: it knows fewer forms than redis-py."""
    options: dict[str, Any] = {"connection_pool": pool}
    return RedisStorage("async+redis://pool:6379", implementation="redispy", key_prefix="facesocial:rates", **options)
