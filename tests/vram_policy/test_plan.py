"""The plan: who goes onto the card and who leaves for it, and that no request makes it do more than it must."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from vram_policy.plan import Cpu, Gpu, Reason, Resident, Room, Rules, Target, first, idle, plan
from vram_policy.zones import RANK, SHARES, Zone, share

pytestmark = pytest.mark.unit

BUDGET = 1000
LRU = Rules(policy="lru")
ROOM = Room(BUDGET, 0)

zones = st.sampled_from(list(SHARES))
values = st.floats(0, 10).map(lambda value: round(value, 3))
resident = st.builds(
    Resident,
    st.just(""),
    zones,
    st.integers(1, 300),
    values,
    settled=st.sampled_from([True] * 4 + [False]),
    pinned=st.sampled_from([False] * 5 + [True]),
    idle=st.floats(0, 1000),
    age=st.sampled_from([5.0, 30.0, 1000.0]),
)
residents = st.lists(resident, max_size=9).map(
    lambda drawn: [replace(one, tag=f"r{number}") for number, one in enumerate(fitting(drawn))]
)
targets = st.builds(
    Target, st.just("t"), zones, st.integers(1, 1200), values, st.floats(0, 50), st.floats(0, 200), st.integers(1, 5)
)
rules = st.builds(Rules, st.sampled_from(["benefit", "lru"]), st.just(120.0), st.just(1.1), st.just(30.0))
seconds_hand = st.integers(0, 300)
"""Bytes that a second program took."""


def fitting(drawn: Sequence[Resident]) -> list[Resident]:
    """Those who are no more than the budget together."""
    kept: list[Resident] = []
    for one in drawn:
        if sum(other.bytes for other in kept) + one.bytes <= BUDGET:
            kept.append(one)
    return kept


def room(residents: Sequence[Resident], taken: int = 0) -> Room:
    """What the residents, and a second program, leave."""
    return Room(BUDGET, BUDGET - sum(one.bytes for one in residents) - taken)


def target(zone: Zone = "high", size: int = 300, value: float = 1.0, asked: int = 2) -> Target:
    """One that pays for itself."""
    return Target("t", zone, size, value, price=1.0, delay=1.0, asked=asked)


def there(tag: str, zone: Zone = "high", size: int = 250, value: float = 0.1, idle: float = 100.0) -> Resident:
    """One that may leave."""
    return Resident(tag, zone, size, value, settled=True, pinned=False, idle=idle, age=1000.0)


def test_r5_the_idle_one_leaves_for_what_does_not_fit_beside_it() -> None:
    """600 idle, 600 asked for, 1000 there."""
    assert plan(target(size=600), [there("a", size=600)], Room(1000, 400), LRU) == Gpu(("a",))
    assert plan(target(size=600), [there("a", size=600)], Room(1000, 400), Rules()) == Gpu(("a",))


def test_r6_what_fits_beside_evicts_nobody() -> None:
    """400 and 400 of 1000."""
    assert plan(target(size=400), [there("a", size=400)], Room(1000, 600), Rules()) == Gpu()


@pytest.mark.parametrize(
    ("spared", "evicted"),
    [((), "young flexible"), (("young flexible", "old flexible"), "high"), (("young flexible",), "old flexible")],
)
def test_r7_the_lowest_zone_and_the_longest_idle_leave_first(spared: tuple[str, ...], evicted: str) -> None:
    """Leased and critical never; when nobody may leave, the CPU answers."""
    everybody = [
        there("critical", "critical", idle=4000),
        there("high", "high", idle=3000),
        there("old flexible", "flexible", idle=100),
        there("young flexible", "flexible", idle=200),
    ]
    leased = [replace(one, settled=one.tag not in spared) for one in everybody]
    assert plan(target(size=250), leased, ROOM, LRU) == Gpu((evicted,))
    nobody = [replace(one, settled=one.zone == "critical") for one in everybody]
    assert plan(target(size=250), nobody, ROOM, LRU) == Cpu(Reason.NO_VICTIM)


def test_a_flexible_model_loads_on_its_second_request() -> None:
    """Into free memory; the high zone on its first."""
    assert plan(target("flexible", asked=1), [], Room(1000, 1000), Rules()) == Cpu(Reason.FIRST_REQUEST)
    assert plan(target("flexible", asked=2), [], Room(1000, 1000), Rules()) == Gpu()
    assert plan(target("high", asked=1), [], Room(1000, 1000), Rules()) == Gpu()
    assert plan(target("flexible", asked=1), [], Room(1000, 1000), LRU) == Gpu()


def test_a_zone_takes_its_guarantee_back_from_those_who_borrowed_it() -> None:
    """However much they save: its load must only pay for itself."""
    borrowers = [there(f"f{number}", "flexible", value=50.0) for number in range(4)]
    assert plan(target(value=1.0), borrowers, ROOM, Rules()) == Gpu(("f0", "f1"))
    assert plan(target(value=0.001), borrowers, ROOM, Rules()) == Cpu(Reason.NOT_WORTH)
    own = [there(f"h{number}", "high", value=50.0) for number in range(4)]
    assert plan(target(value=1.0), own, ROOM, Rules()) == Cpu(Reason.NOT_WORTH)


def test_a_critical_model_evicts_the_young_and_need_not_pay() -> None:
    """Everybody else waits for the minimum residency."""
    young = [replace(there("h", size=1000, value=100.0), age=1.0)]
    assert plan(target("critical", value=0.0), young, ROOM, Rules()) == Gpu(("h",))
    assert plan(target("high", value=999.0), young, ROOM, Rules()) == Cpu(Reason.NO_VICTIM)


def test_nobody_superfluous_leaves_of_many() -> None:
    """More candidates than are searched: as many leave as it takes, not all."""
    many = [there(f"r{number:02}", size=50, value=0.001 * (number + 1)) for number in range(20)]
    decision = plan(target(size=700, value=10.0), many, ROOM, Rules())
    assert decision == Gpu(tuple(f"r{number:02}" for number in range(14)))


def test_the_longest_idle_stays_when_its_leaving_helps_nobody() -> None:
    """Ten bytes do not help who needs 600."""
    decision = plan(target(size=600), [there("tiny", size=10, idle=900), there("big", size=600)], ROOM, LRU)
    assert decision == Gpu(("big",))


@given(targets, residents, seconds_hand, rules, st.randoms())
def test_the_same_question_has_the_same_answer(
    target: Target, residents: list[Resident], taken: int, rules: Rules, random: object
) -> None:
    """In whatever order the residents are listed."""
    shuffled = list(residents)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    answers = {plan(target, one, room(residents, taken), rules) for one in (residents, residents, shuffled)}
    assert len({tuple(sorted(one.evict)) if isinstance(one, Gpu) else one.reason for one in answers}) == 1


@given(targets, residents, seconds_hand, rules)
@example(target(size=700, value=10.0), [there(f"r{n}", size=50) for n in range(20)], 0, Rules())
def test_who_may_not_leave_stays_and_who_need_not_leave_stays(
    target: Target, residents: list[Resident], taken: int, rules: Rules
) -> None:
    """Leased, pinned, critical, higher and, but for critical, young; and every victim is needed."""
    now = room(residents, taken)
    decision = plan(target, residents, now, rules)
    if isinstance(decision, Cpu):
        assert decision.reason is not Reason.TOO_LARGE or target.bytes > BUDGET
        return
    victims = [one for one in residents if one.tag in decision.evict]
    missing = target.bytes - now.free
    assert len(victims) == len(set(decision.evict)) == len(decision.evict)
    assert sum(one.bytes for one in victims) >= missing
    assert all(sum(one.bytes for one in victims) - victim.bytes < missing for victim in victims)
    for one in victims:
        assert one.settled
        assert not one.pinned
        assert one.zone != "critical"
        assert RANK[one.zone] <= RANK[target.zone]
        assert one.age >= rules.residency or target.zone == "critical"


@given(targets, residents, rules)
def test_what_is_free_costs_nobody_his_place(target: Target, residents: list[Resident], rules: Rules) -> None:
    """Enough is free: nobody leaves."""
    decision = plan(target, residents, Room(BUDGET, target.bytes), rules)
    assert not (isinstance(decision, Gpu) and decision.evict)


@given(targets, residents, seconds_hand)
def test_a_load_is_worth_more_than_what_leaves_for_it(target: Target, residents: list[Resident], taken: int) -> None:
    """The inequality of the plan, for those who do not just take back what is guaranteed to their zone."""
    decision = plan(target, residents, room(residents, taken), Rules())
    if isinstance(decision, Cpu) or not decision.evict or target.zone == "critical":
        return
    used = sum(one.bytes for one in residents if one.zone == target.zone)
    own = used + target.bytes <= share(BUDGET, target.zone)
    victims = [one for one in residents if one.tag in decision.evict and not (own and one.zone != target.zone)]
    gain = target.value * (120.0 - target.delay) - target.price
    assert gain > 1.1 * 120.0 * sum(one.value for one in victims)


@given(targets, residents, seconds_hand)
def test_the_set_that_leaves_is_the_cheapest_of_the_lowest_zones_that_suffice(
    target: Target, residents: list[Resident], taken: int
) -> None:
    """By trying all sets of a critical target's candidates."""
    critical, now = replace(target, zone="critical"), room(residents, taken)
    missing = critical.bytes - now.free
    decision = plan(critical, residents, now, Rules())
    able = [one for one in residents if one.settled and not one.pinned and one.zone != "critical"]
    low = [one for one in able if one.zone == "flexible"]
    pool = low if sum(one.bytes for one in low) >= missing else able
    if missing <= 0 or critical.bytes > BUDGET or sum(one.bytes for one in pool) < missing:
        assert not (isinstance(decision, Gpu) and decision.evict)
        return
    sets = [set_ for count in range(1, len(pool) + 1) for set_ in combinations(pool, count)]
    cheapest = min(sum(one.value for one in set_) for set_ in sets if sum(one.bytes for one in set_) >= missing)
    assert isinstance(decision, Gpu)
    assert sum(one.value for one in residents if one.tag in decision.evict) == pytest.approx(cheapest)


@given(residents, st.integers(-10, 1000))
def test_the_first_are_as_many_as_it_takes(residents: list[Resident], missing: int) -> None:
    """Or all."""
    taken = first(residents, missing)
    assert taken == residents[: len(taken)]
    assert sum(one.bytes for one in taken[:-1]) < max(1, missing)
    assert len(taken) == len(residents) or sum(one.bytes for one in taken) >= missing


@given(residents, zones)
def test_the_idle_leave_lowest_zone_and_longest_idle_first(residents: list[Resident], zone: Zone) -> None:
    """Nobody who may not."""
    leaving = idle(residents, Rules(), zone)
    assert [(RANK[one.zone], -one.idle) for one in leaving] == sorted((RANK[one.zone], -one.idle) for one in leaving)
    for one in residents:
        may = one.settled and not one.pinned and one.zone != "critical" and one.age >= 30.0
        assert (one in leaving) == (may and RANK[one.zone] <= RANK[zone])
