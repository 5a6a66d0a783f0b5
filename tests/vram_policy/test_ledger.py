"""The book keeps every byte: what is promised is taken from somebody, what leaves is inherited, leaked or free."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.vram_policy.fakes import FakeModel
from vram_policy.ledger import LOADS, Ledger, Residency, State
from vram_policy.zones import Stand

pytestmark = pytest.mark.unit

HIGH = Stand("high")
sizes = st.integers(0, 300)


def ready(ledger: Ledger, tag: str, size: int, now: float = 0.0) -> Residency:
    """Reserved, loaded, there."""
    entry = ledger.reserve(FakeModel(tag, size=size), HIGH, size, ())
    assert ledger.begin() is entry
    ledger.arrive(entry, now)
    return entry


@given(st.lists(sizes, min_size=1, max_size=3), st.lists(sizes, max_size=2), sizes)
def test_a_promise_is_charged_once(leaving: list[int], staying: list[int], wanted: int) -> None:
    """Reserving charges only what the victims do not give back; when they are gone all of it is the heir's."""
    ledger = Ledger(2000)
    victims = [ready(ledger, f"v{number}", size) for number, size in enumerate(leaving)]
    for number, size in enumerate(staying):
        ready(ledger, f"s{number}", size)
    before = ledger.charged
    heir = ledger.reserve(FakeModel("heir:1"), HIGH, wanted, [victim.tag for victim in victims])
    assert ledger.charged == before + max(0, wanted - sum(leaving))
    for left, victim in enumerate(victims, 1):
        assert heir.awaits
        assert ledger.begin() is victim
        assert ledger.begin() is None, "a load beside an unload"
        enough = ledger.release(victim, 0)
        assert enough
        assert bool(heir.awaits) == (left < len(victims))
    assert heir.charged == wanted
    assert ledger.charged == sum(staying) + wanted
    assert ledger.begin() is heir


@given(sizes, st.fractions(0, 1), sizes)
def test_what_leaks_is_no_room_for_the_heir(size: int, share: float, wanted: int) -> None:
    """Its bytes stay charged; the heir is told whether it gets enough."""
    ledger = Ledger(size)
    victim = ready(ledger, "victim:1", size)
    leaked = int(size * share)
    heir = ledger.reserve(FakeModel("heir:1"), HIGH, min(wanted, size), ["victim:1"])
    assert ledger.begin() is victim
    enough = ledger.release(victim, leaked)
    assert enough == (heir.size <= size - leaked)
    assert ledger.leaked == leaked
    assert ledger.charged == leaked + heir.charged <= size
    ledger.drop(heir)
    assert ledger.charged == ledger.leaked == leaked


def test_whoever_is_dropped_is_left_for_by_nobody() -> None:
    """Its victims go all the same, and their bytes are free."""
    ledger = Ledger(100)
    victim = ready(ledger, "victim:1", 100)
    heir = ledger.reserve(FakeModel("heir:1"), HIGH, 100, ["victim:1"])
    ledger.condemn(heir)
    assert ledger.get("heir:1") is None
    assert ledger.begin() is victim
    assert ledger.release(victim, 0)
    assert ledger.charged == 0


def test_a_failed_load_is_charged_until_it_is_gone_and_may_come_again() -> None:
    """What it kept is no room for its second attempt."""
    ledger = Ledger(150)
    entry = ledger.reserve(FakeModel("entry:1"), HIGH, 100, ())
    assert ledger.begin() is entry
    entry.again = True
    ledger.retreat(entry)
    assert ledger.charged == 100
    assert ledger.begin() is entry
    assert ledger.release(entry, 50)
    assert (entry.state, entry.charged, ledger.charged) == (State.RESERVED, 100, 150)
    assert ledger.begin() is entry
    entry.again = True
    ledger.retreat(entry)
    assert ledger.begin() is entry
    assert not ledger.release(entry, 50), "there is no third 50"


def test_the_condemned_go_when_they_can() -> None:
    """Leased: drains; loading: arrives and leaves; on its way out: for good."""
    ledger = Ledger(1000)
    leased, idle = ready(ledger, "leased:1", 10), ready(ledger, "idle:1", 10)
    leased.leases.add(1)
    for entry in (leased, idle):
        ledger.condemn(entry)
    assert (leased.state, idle.state) == (State.DRAINING, State.UNLOADING)
    ledger.give_back(leased, 1)
    ledger.give_back(leased, 1)
    assert leased.state is State.UNLOADING
    assert ledger.begin() is leased
    ledger.release(leased, 0)
    assert ledger.begin() is idle
    ledger.release(idle, 0)
    loading = ledger.reserve(FakeModel("loading:1"), HIGH, 10, ())
    assert ledger.begin() is loading
    ledger.condemn(loading)
    assert loading.doomed
    ledger.arrive(loading, 0.0)
    assert loading.state is State.UNLOADING


def test_so_many_load_at_once() -> None:
    """The next when one has arrived."""
    ledger = Ledger(1000)
    entries = [ledger.reserve(FakeModel(f"m{number}:1"), HIGH, 10, ()) for number in range(LOADS + 1)]
    assert [ledger.begin() for _ in entries] == [*entries[:LOADS], None]
    assert not ledger.quiet
    ledger.arrive(entries[0], 5.0)
    assert ledger.begin() is entries[-1]
    assert ledger.held == ledger.charged == 10 * (LOADS + 1)


@given(st.integers(0, 100), st.integers(-50, 300))
def test_the_card_has_the_last_word(leaked: int, excess: int) -> None:
    """Leaks that were given back are forgotten; what nobody explains lowers the capacity."""
    ledger = Ledger(1000)
    entry = ready(ledger, "m:1", 100)
    ledger.condemn(entry)
    assert ledger.begin() is entry
    ledger.release(entry, leaked)
    ledger.reconcile(excess)
    assert ledger.charged == max(0, excess)
    assert ledger.leaked == min(leaked, max(0, excess))
    assert ledger.unaccounted == max(0, excess - leaked)


def test_residents_are_told_as_the_plan_wants_them() -> None:
    """Who waits counts with all it will have; who leaves not at all."""
    ledger = Ledger(1000)
    old, leaving = ready(ledger, "old:1", 100, now=10.0), ready(ledger, "leaving:1", 200)
    heir = ledger.reserve(FakeModel("heir:1"), HIGH, 250, [leaving.tag])
    told = {one.tag: one for one in ledger.residents(lambda _: 1.0, lambda _: 2.0, 15.0)}
    assert told.keys() == {"old:1", "heir:1"}
    assert (told["old:1"].age, told["old:1"].settled) == (5.0, True)
    assert (told["heir:1"].bytes, told["heir:1"].settled, heir.charged) == (250, False, 50)
    assert ledger.used("high") == 100 + 200 + 50
    assert old.settled
