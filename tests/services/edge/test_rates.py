"""checks.md E: how often somebody may ask."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import pytest

from facesocial.configuration import RateSettings
from facesocial.errors import RateLimited
from services.edge.caller import Caller
from services.edge.rates import Rates
from services.identity import Identity

pytestmark = pytest.mark.unit

USER = Identity("ada", "user")


def caller(host: str = "192.0.2.1", identity: Identity | None = None) -> Caller:
    return Caller.of({"client": (host, 1)}, identity)


class Clock:
    """`time.time` of the limiters."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(time, "time", clock)
    return clock


async def granted(rates: Rates, count: int, who: Callable[[int], Caller], path: str = "/v1/detect") -> int:
    """How many of so many requests."""
    got = 0
    for number in range(count):
        try:
            await rates.spend(who(number), path)
            got += 1
        except RateLimited:
            pass
    return got


async def test_e_sixty_a_minute_and_the_61st_waits(clock: Clock) -> None:
    rates = Rates(RateSettings(address=60))
    for number in range(60):
        allowance = await rates.spend(caller(), "/v1/detect")
        assert allowance is not None
        assert (allowance.limit, allowance.remaining) == (60, 59 - number)
        clock.now += 0.125
    with pytest.raises(RateLimited, match="more than 60 requests a minute") as refused:
        await rates.spend(caller(), "/v1/detect")
    assert refused.value.retry_after == 53
    clock.now += 52.25
    assert await granted(rates, 5, lambda _: caller()) == 0
    clock.now += 0.3
    assert await granted(rates, 5, lambda _: caller()) == 1


async def test_e_no_window_has_an_edge_to_burst_across(clock: Clock) -> None:
    """In any sixty seconds at most the limit, wherever a minute begins."""
    rates, times = Rates(RateSettings(address=10)), []
    for pause in (0, 29, 1, 29.5, 1, 30, 30, 59, 2):
        clock.now += pause
        times += [clock.now] * await granted(rates, 12, lambda _: caller())
    for start in times:
        assert sum(start <= one < start + 60 for one in times) <= 10
    assert len(times) > 20


async def test_e_addresses_are_counted_apart_and_a_64_as_one(clock: Clock) -> None:
    rates = Rates(RateSettings(address=5))
    assert await granted(rates, 20, lambda number: caller(f"192.0.2.{number}")) == 20
    assert await granted(rates, 20, lambda number: caller(f"2001:db8::{number:x}")) == 5


async def test_e_a_user_is_one_from_every_address(clock: Clock) -> None:
    rates = Rates(RateSettings(user=7))
    assert await granted(rates, 20, lambda number: caller(f"192.0.2.{number}", USER)) == 7
    assert await granted(rates, 20, lambda number: caller(f"192.0.2.{number}", Identity("bob", "user"))) == 7


async def test_many_users_of_one_address_share_what_it_has(clock: Clock) -> None:
    rates = Rates(RateSettings(user=100, address=30))
    assert await granted(rates, 50, lambda number: caller(identity=Identity(f"u{number}", "user"))) == 30


async def test_what_costs_more_has_a_figure_of_its_own(clock: Clock) -> None:
    """On its path and below it; what it refuses is not counted elsewhere."""
    rates = Rates(RateSettings(address=12, endpoints={"/v1/admin": 3}))
    assert await granted(rates, 9, lambda _: caller(), "/v1/admin/vram") == 3
    assert await granted(rates, 9, lambda _: caller(), "/v1/admin") == 0
    assert await granted(rates, 20, lambda _: caller(), "/v1/administration") == 9


async def test_what_costs_more_is_counted_for_each_caller(clock: Clock) -> None:
    """Nobody uses an endpoint up for the others, by address or by name."""
    rates = Rates(RateSettings(endpoints={"/v1/verify": 3}))
    callers = caller(), caller("198.51.100.1"), caller(identity=USER), caller(identity=Identity("bob", "user"))
    assert await granted(rates, 40, lambda number: callers[number % 4], "/v1/verify") == 4 * 3


async def test_trusted_networks_are_not_counted_but_their_users_are(clock: Clock) -> None:
    rates = Rates(RateSettings.model_validate({"address": 2, "user": 4, "trusted_networks": ["192.0.2.0/24"]}))
    assert await granted(rates, 20, lambda _: caller(), "/v1/analyze") == 20
    assert await rates.spend(caller(), "/v1/detect") is None
    assert await granted(rates, 20, lambda _: caller(identity=USER)) == 4
    assert await granted(rates, 20, lambda _: caller("198.51.100.1")) == 2


async def test_at_once_no_more_than_one_after_another(clock: Clock) -> None:
    rates = Rates(RateSettings(address=25))
    answers = await asyncio.gather(*(granted(rates, 1, lambda _: caller()) for _ in range(100)))
    assert sum(answers) == 25
