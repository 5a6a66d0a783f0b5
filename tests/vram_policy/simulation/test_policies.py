"""Each policy's own habit, on a card of a hundred bytes beside ten that are critical."""

from __future__ import annotations

import pytest

from tests.vram_policy.simulation.small import BUDGET, model, trace
from vram_policy.simulation.policies import POLICIES, BestStatic, Lru
from vram_policy.simulation.replay import Outcome, replay

pytestmark = pytest.mark.unit

MODELS = (model("critical", "critical", 10), model("a"), model("b"), model("small", size=20))

A, B, SMALL = 1, 2, 3


def outcome(policy: str, *requests: tuple[float, int]) -> Outcome:
    return replay(trace(MODELS, *requests), BUDGET, POLICIES[policy])


def stays(given: Outcome, model: int) -> list[tuple[float, float]]:
    return [(ready, left) for index, ready, left in given.residencies if index == model]


def test_lru_loads_at_once_and_evicts_the_longest_unused() -> None:
    given = outcome("LRU", (0.0, SMALL), (5.0, A), (10.0, SMALL), (20.0, B))
    assert stays(given, A) == [(8.0, 20.0)]
    assert len(stays(given, SMALL)) == 1


def test_lru_after_k_waits_for_k_requests() -> None:
    contestant = [(float(second), A) for second in (0, 10, 20, 30)]
    assert stays(outcome("LRU after 3", *contestant), A) == [(23.0, 1000.0)]
    assert replay(trace(MODELS, *contestant[:2]), BUDGET, lambda _t, _b: Lru(3)).loads == 0


def test_ttl_evicts_nobody_for_another_and_everybody_after_five_minutes() -> None:
    given = outcome("TTL 300 s (immich)", (0.0, A), (10.0, B), (290.0, B), (301.0, SMALL), (302.0, B))
    assert stays(given, A) == [(3.0, 301.0)]
    assert stays(given, B) == [(305.5, 1000.0)] or stays(given, B) == [(305.0, 1000.0)]


def test_idle_first_takes_the_first_by_name() -> None:
    given = outcome("idle first (ollama)", (0.0, SMALL), (5.0, A), (20.0, SMALL), (30.0, B))
    assert stays(given, A) == [(8.0, 30.0)]


def test_gdsf_prefers_small_and_frequent_and_spares_the_young() -> None:
    early = outcome("GDSF, 30 s residency", (0.0, A), (10.0, B))
    assert stays(early, A) == [(3.0, 1000.0)]
    late = outcome("GDSF, 30 s residency", (0.0, SMALL), (5.0, A), (100.0, B))
    assert stays(late, A) == [(8.0, 100.0)]
    assert len(stays(late, SMALL)) == 1


def test_tiny_lfu_admits_who_is_asked_for_more_often() -> None:
    often = [(float(second), A) for second in range(10)]
    seldom = [(20.0 + second, B) for second in range(10)]
    assert stays(outcome("TinyLFU", *often, *seldom), B) == []
    assert len(stays(outcome("TinyLFU", *often, *seldom, (40.0, B)), B)) == 1


def test_tiny_lfu_forgets() -> None:
    """A thousand requests halve the counts: forty of B are enough against sixty of A."""
    often = [(0.1 * index, A) for index in range(60)]
    others = [(10 + 0.01 * index, 0) for index in range(940)]
    after = [(30.0 + index, B) for index in range(31)]
    assert len(stays(outcome("TinyLFU", *often, *others, *after), B)) == 1
    assert stays(outcome("TinyLFU", *often, *after), B) == []


def test_the_best_static_set_is_the_most_worthy_that_fits() -> None:
    requests = [(float(second), A) for second in range(5)] + [(50.0 + second, B) for second in range(50)]
    given = trace(MODELS, *requests)
    assert BestStatic(given, BUDGET).chosen == {B}
    assert stays(replay(given, BUDGET, BestStatic), A) == []


def test_ours_keeps_who_is_worth_more() -> None:
    """A is asked for every second; B now and then, and stays out."""
    requests = [(float(second), A) for second in range(200)] + [(50.5 + 40 * turn, B) for turn in range(3)]
    given = outcome("ours", *sorted(requests))
    assert len(stays(given, A)) == 1
    assert stays(given, B) == []


def test_ours_lets_who_was_forgotten_go() -> None:
    requests = [(float(second), A) for second in range(60)] + [(200.0 + second, B) for second in range(60)]
    given = outcome("ours", *requests)
    assert len(stays(given, B)) == 1
    assert 200 <= stays(given, A)[0][1] < 220
