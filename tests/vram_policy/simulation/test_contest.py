"""A small contest, so that a policy that becomes worse is noticed; what the bars and shares say."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.vram_policy.simulation.small import BUDGET, model, trace
from vram_policy.simulation.catalogue import CARDS, CATALOGUE, budget_of
from vram_policy.simulation.contest import (
    BARS,
    REPORTING,
    TUNING,
    Standing,
    compare,
    limit,
    misses,
)
from vram_policy.simulation.generators import GENERATORS, generate
from vram_policy.simulation.policies import OURS, POLICIES

pytestmark = pytest.mark.unit

FLOORS = {"6GiB": 0.72, "4GiB": 0.55}
"""Twenty minutes of one seed: loads and learning weigh six times as much as in the contest itself."""


@pytest.fixture(scope="module")
def standings() -> list[Standing]:
    policies = {name: POLICIES[name] for name in ("LRU", OURS)}
    budgets = {card: budget_of(CARDS[card]) for card in FLOORS}
    return [
        standing
        for card, budget in budgets.items()
        for name in GENERATORS
        for standing in compare([generate(name, CATALOGUE, budget, TUNING[0], 1200)], card, budget, policies, 8)
    ]


def test_ours_keeps_the_rules_and_a_loose_bar(standings: list[Standing]) -> None:
    ours = [one for one in standings if one.policy == OURS]
    assert {(one.card, one.trace) for one in ours} == {(card, name) for card in FLOORS for name in GENERATORS}
    for one in ours:
        assert one.share > FLOORS[one.card], (one.card, one.trace)
        assert one.priced <= one.share <= 1
        assert one.mean(lambda outcome: outcome.upward + outcome.young) == 0


def test_ours_does_not_thrash_where_lru_does(standings: list[Standing]) -> None:
    for card in FLOORS:
        both = {one.policy: one for one in standings if (one.card, one.trace) == (card, "thrash")}
        assert both[OURS].outcomes[0].saved >= 1.3 * both["LRU"].outcomes[0].saved
        assert both[OURS].outcomes[0].loads <= 0.1 * both["LRU"].outcomes[0].loads


def test_tuning_and_reporting_are_kept_apart() -> None:
    assert not set(TUNING) & set(REPORTING)
    assert len(REPORTING) >= 5
    assert all(set(bars) == set(GENERATORS) for bars in BARS.values())


def test_a_missed_bar_is_told(standings: list[Standing]) -> None:
    poor = [replace(one, bounds=tuple(3 * bound for bound in one.bounds)) for one in standings]
    told = misses(poor)
    assert any("steady on 6GiB: 0.3" in miss for miss in told)
    assert any("on the worst seed" in miss for miss in told)
    assert misses([one for one in standings if one.policy != OURS]) == []


def test_nothing_to_save_is_a_whole_share() -> None:
    models = (model("critical", "critical", 10), model("one"))
    (one,) = compare([trace(models, (1.0, 1))], "tiny", BUDGET, {OURS: POLICIES[OURS]})
    assert one.bounds == (0.0,)
    assert one.share == one.priced == 1.0


def test_a_trace_of_many_models_has_one_bound() -> None:
    models = (model("critical", "critical", 10), *(model(f"m{index}", size=5) for index in range(20)))
    best, priced = limit(trace(models, *((float(second), second % 21) for second in range(200))), BUDGET)
    assert best == priced > 0
