"""Whose turn it is: who runs, who waits, who is told that there is no room, and that nobody is forgotten."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facesocial.configuration import AdmissionSettings
from facesocial.errors import Overloaded
from services.pipeline.inquiry import Cost
from services.pipeline.turns import MOST_RETRY_S, Turns

pytestmark = pytest.mark.unit

LIGHT, HEAVY = Cost


@dataclass
class Guest:
    """Enters, stays until told to go, and leaves."""

    cost: Cost
    task: asyncio.Task[None] = field(init=False)
    go: asyncio.Event = field(default_factory=asyncio.Event)
    inside: bool = False
    refusal: Overloaded | None = None


class House:
    """Turns with guests, and what the gauge says."""

    def __init__(self, places: int, **limits: int | None) -> None:
        self.settings = AdmissionSettings.model_validate(limits)
        self.gauge = dict.fromkeys(Cost, 0)
        self.turns = Turns(self.settings, places, self.gauge.__setitem__)
        self.places = places
        self.guests: list[Guest] = []
        self.order: list[Guest] = []

    def come(self, cost: Cost) -> Guest:
        """One more, who may be refused."""
        guest = Guest(cost)
        guest.task = asyncio.create_task(self._visit(guest))
        self.guests.append(guest)
        return guest

    async def _visit(self, guest: Guest, seconds: float = 1.0) -> None:
        try:
            await self.turns.enter(guest.cost)
        except Overloaded as refusal:
            guest.refusal = refusal
            return
        guest.inside = True
        self.order.append(guest)
        try:
            await guest.go.wait()
        finally:
            guest.inside = False
            self.turns.leave(guest.cost, seconds)

    def inside(self, cost: Cost | None = None) -> list[Guest]:
        """Who runs."""
        return [guest for guest in self.guests if guest.inside and cost in (None, guest.cost)]

    def outside(self, cost: Cost) -> list[Guest]:
        """Who waits, in the order they came."""
        return [guest for guest in self.guests if not guest.task.done() and not guest.inside and guest.cost is cost]

    def running(self, cost: Cost) -> int:
        """How many of a cost may run."""
        own = self.settings.light_running if cost is LIGHT else self.settings.heavy_running
        return own or self.places

    def room(self, cost: Cost) -> int:
        """How many of a cost may wait."""
        return self.settings.light_waiting if cost is LIGHT else self.settings.heavy_waiting

    def check(self) -> None:
        """What holds whenever nothing is under way."""
        assert len(self.inside()) <= self.places
        for cost in Cost:
            here, there = len(self.inside(cost)), len(self.outside(cost))
            assert here <= self.running(cost)
            assert there <= self.room(cost)
            assert self.gauge[cost] == there, "the gauge lies"
            full = len(self.inside()) == self.places or here == self.running(cost)
            assert full or not there, "there is room, and somebody waits"

    async def close(self) -> None:
        """Everybody leaves."""
        for guest in self.guests:
            guest.go.set()
        await asyncio.gather(*(guest.task for guest in self.guests), return_exceptions=True)


async def settle() -> None:
    """Whatever can go on without being told to does."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_r14_the_next_is_told_at_once_and_where_it_would_stand() -> None:
    house = House(1, light_running=1, light_waiting=1)
    first, second = house.come(LIGHT), house.come(LIGHT)
    others = [house.come(LIGHT) for _ in range(10)]
    await settle()
    assert (first.inside, second.inside) == (True, False)
    for other in others:
        assert other.refusal
        assert str(other.refusal) == "no room for another light request: this would be number 2 in the queue"
        assert other.refusal.retry_after == 1
    assert house.gauge == {LIGHT: 1, HEAVY: 0}
    await house.close()
    assert house.order == [first, second]


async def test_r15_of_ten_with_a_queue_of_eight_exactly_one_is_refused_and_none_overtakes() -> None:
    house = House(1, light_waiting=8)
    guests = [house.come(LIGHT) for _ in range(10)]
    await settle()
    assert [guest.refusal is not None for guest in guests] == [False] * 9 + [True]
    for guest in guests:
        guest.go.set()
        await settle()
        house.check()
    assert house.order == guests[:9]


@pytest.mark.parametrize("cost", Cost)
async def test_a_flood_of_one_cost_leaves_the_other_every_other_place(cost: Cost) -> None:
    house = House(1, light_waiting=20, heavy_waiting=20)
    (other,) = set(Cost) - {cost}
    flood = [house.come(cost) for _ in range(12)]
    await settle()
    few = [house.come(other) for _ in range(4)]
    await settle()
    await house.close()
    first, *rest = house.order
    assert first is flood[0]
    assert [guest.cost for guest in rest[:8]] == [other, cost] * 4
    assert [guest for guest in house.order if guest.cost is other] == few


async def test_a_cost_has_no_more_places_than_its_own() -> None:
    house = House(3, heavy_running=1)
    heavy = [house.come(HEAVY) for _ in range(3)]
    light = [house.come(LIGHT) for _ in range(3)]
    await settle()
    house.check()
    assert house.order == [heavy[0], *light[:2]]
    light[0].go.set()
    await settle()
    assert light[2].inside, "a place that heavy ones must not take"
    await house.close()


@pytest.mark.parametrize(
    ("seconds", "waiting", "retry"), [(0.0, 9, 1), (0.1, 9, 1), (2.0, 9, 9), (2.0, 0, 1), (60.0, 9, MOST_RETRY_S)]
)
async def test_retry_after_is_until_half_of_those_who_wait_are_gone(seconds: float, waiting: int, retry: int) -> None:
    house = House(1, light_waiting=waiting)
    await house.turns.enter(LIGHT)
    house.turns.leave(LIGHT, seconds)
    for _ in range(waiting + 1):
        house.come(LIGHT)
    await settle()
    with pytest.raises(Overloaded) as caught:
        await house.turns.enter(LIGHT)
    assert caught.value.retry_after == retry
    await house.close()


async def test_r17_who_leaves_the_queue_is_not_called_up() -> None:
    house = House(1)
    first, second, third = (house.come(LIGHT) for _ in range(3))
    await settle()
    second.task.cancel()
    await settle()
    house.check()
    first.go.set()
    await settle()
    assert third.inside
    await house.close()
    assert house.order == [first, third]


async def test_r17_who_leaves_while_being_called_up_leaves_the_place_to_the_next() -> None:
    """In the same turn of the event loop, in either order; the gauge hears of it."""
    for cancelled_first in (False, True):
        house = House(1)
        await house.turns.enter(LIGHT)
        second, third = house.come(LIGHT), house.come(LIGHT)
        await settle()
        if cancelled_first:
            second.task.cancel()
        house.turns.leave(LIGHT, 1.0)
        second.task.cancel()
        await settle()
        house.check()
        assert house.order == [third]
        await house.close()
        house.check()


async def test_the_gauge_hears_of_the_last_one_who_left_while_being_called_up() -> None:
    house = House(1)
    await house.turns.enter(LIGHT)
    last = house.come(LIGHT)
    await settle()
    last.task.cancel()
    house.turns.leave(LIGHT, 1.0)
    await settle()
    assert house.gauge == {LIGHT: 0, HEAVY: 0}


limits = st.none() | st.integers(1, 3)
steps = st.lists(
    st.tuples(st.just("come"), st.sampled_from(Cost))
    | st.tuples(st.sampled_from(["go", "cancel"]), st.integers(0, 30))
    | st.tuples(st.just("settle"), st.none()),
    max_size=60,
)


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 4), limits, limits, st.integers(0, 3), st.integers(0, 3), steps)
def test_whoever_comes_goes_or_gives_up_nobody_is_forgotten(
    places: int, light: int | None, heavy: int | None, light_room: int, heavy_room: int, steps: Iterable[Any]
) -> None:
    """Within the limits at every rest, the gauge true, nobody waiting where there is room; in the end all is free."""

    async def run() -> None:
        house = House(
            places, light_running=light, heavy_running=heavy, light_waiting=light_room, heavy_waiting=heavy_room
        )
        for what, whom in steps:
            if what == "come":
                house.come(whom)
            elif what == "settle":
                await settle()
                house.check()
            elif house.guests:
                guest = house.guests[whom % len(house.guests)]
                _ = guest.go.set() if what == "go" else guest.task.cancel()
        await settle()
        house.check()
        for cost in Cost:
            entered = [guest for guest in house.order if guest.cost is cost]
            assert entered == sorted(entered, key=house.guests.index), "somebody was overtaken"
        await house.close()
        assert not any(queue.running or queue.waiting for queue in house.turns._queues.values())
        assert house.gauge == dict.fromkeys(Cost, 0)

    asyncio.run(run())
