"""The store of one process: bounded in bytes, what was not used goes first, nothing outlives its time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.cache.store import ENTRY_BYTES, MemoryStore
from tests.services.cache.conftest import Clock

pytestmark = pytest.mark.unit

ONE = 1 + 100 + ENTRY_BYTES


async def test_what_was_not_used_for_longest_goes_first() -> None:
    store = MemoryStore(3 * ONE)
    for place in (b"a", b"b", b"c"):
        await store.put(place, bytes(100), 60)
    assert await store.get(b"a")
    await store.put(b"d", bytes(100), 60)
    assert [await store.get(place) is not None for place in (b"a", b"b", b"c", b"d")] == [True, False, True, True]
    assert store.used == 3 * ONE


async def test_longer_than_the_whole_store() -> None:
    """It is not kept, and nobody leaves for it; what was there in its place is gone all the same."""
    store = MemoryStore(2 * ONE)
    await store.put(b"a", bytes(100), 60)
    await store.put(b"b", bytes(100), 60)
    await store.put(b"b", bytes(2 * ONE), 60)
    assert await store.get(b"b") is None
    assert await store.get(b"a")


async def test_its_time_is_over(clock: Clock) -> None:
    store = MemoryStore(3 * ONE, clock)
    await store.put(b"a", b"value", 60)
    clock.now = 59.9
    assert await store.get(b"a") == b"value"
    clock.now = 60.0
    assert await store.get(b"a") is None
    assert store.used == 0


async def test_what_nobody_asks_for_does_not_stay(clock: Clock) -> None:
    store = MemoryStore(30 * ONE, clock)
    for place in (b"a", b"b"):
        await store.put(place, bytes(100), 60)
    clock.now = 61.0
    await store.put(b"c", bytes(100), 60)
    assert store.used == ONE


async def test_the_first_who_settles_wins(clock: Clock) -> None:
    store = MemoryStore(3 * ONE, clock)
    assert await store.settle(b"a", b"first", 60) == b"first"
    assert await store.settle(b"a", b"second", 60) == b"first"
    clock.now = 60.0
    assert await store.settle(b"a", b"third", 60) == b"third"
    await store.drop(b"a")
    await store.drop(b"a")
    assert await store.get(b"a") is None


@given(st.lists(st.tuples(st.sampled_from("pgds"), st.integers(0, 9), st.integers(0, 900), st.integers(0, 40))))
async def test_never_more_than_its_limit(steps: list[tuple[str, int, int, int]]) -> None:
    clock = Clock()
    store = MemoryStore(4 * ONE, clock)
    for step, number, length, seconds in steps:
        place = bytes([number])
        clock.now += seconds
        if step == "p":
            await store.put(place, bytes(length), 60)
        elif step == "g":
            await store.get(place)
        elif step == "d":
            await store.drop(place)
        else:
            await store.settle(place, bytes(length), 60)
        assert 0 <= store.used <= 4 * ONE
    for number in range(10):
        await store.drop(bytes([number]))
    assert store.used == 0
