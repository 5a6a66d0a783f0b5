"""The miss rule, request by request; and with random traces, that no policy breaks it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings

from tests.vram_policy.simulation.small import BUDGET, model, trace, traces
from vram_policy.simulation.card import Card, State
from vram_policy.simulation.policies import OURS, POLICIES, Lru
from vram_policy.simulation.replay import replay
from vram_policy.simulation.trace import Trace

pytestmark = pytest.mark.unit

MODELS = (model("critical", "critical", 10), model("one"), model("other"), model("small", size=20))


def lru(_trace: Trace, _budget: int) -> Lru:
    return Lru()


def test_the_critical_model_is_there_from_the_start() -> None:
    outcome = replay(trace(MODELS, (0.0, 0)), BUDGET, lru)
    assert (outcome.on_card, outcome.loads, outcome.net) == (1, 0, 1.0)
    assert outcome.residencies == ((0, 0.0, 1000.0),)


def test_a_critical_model_that_does_not_fit_is_answered_by_the_cpu() -> None:
    models = (model("large", "critical", 200), model("critical", "critical", 80), model("also", "critical", 60))
    outcome = replay(trace(models, (0.0, 0), (1.0, 1), (2.0, 2)), BUDGET, lru)
    assert (outcome.on_card, outcome.loads) == (1, 0)


def test_the_cpu_answers_until_the_load_has_ended() -> None:
    """Three seconds; the request at the very moment is answered by the card."""
    outcome = replay(trace(MODELS, (1.0, 1), (2.0, 1), (3.9, 1), (4.0, 1), (5.0, 1)), BUDGET, lru)
    assert outcome.on_card == 2
    assert outcome.loads == 1
    assert outcome.saved == 2.0
    assert outcome.spent == pytest.approx(2.4)
    assert outcome.moved == 60


def test_a_load_waits_for_the_memory_of_those_who_leave() -> None:
    """Half a second of unloading, then three of loading: at 13.4 the CPU answers, at 13.5 the card."""
    requests = [(0.0, 1), (10.0, 2), (13.4, 2), (13.5, 2)]
    outcome = replay(trace(MODELS, *requests), BUDGET, lru)
    assert outcome.on_card == 1
    assert [stay for stay in outcome.residencies if stay[0] == 1] == [(1, 3.0, 10.0)]
    assert outcome.young == 1


def test_two_loads_at_once_are_the_most() -> None:
    models = (MODELS[0], *(model(f"m{index}", size=10) for index in range(4)))
    requests = [(0.1 * index, index) for index in range(1, 5)]
    assert replay(trace(models, *requests), BUDGET, lru).loads == 2


def test_a_running_model_does_not_leave() -> None:
    """The card takes 10 ms an answer: a request 5 ms later finds nobody who may leave."""
    requests = [(0.0, 1), (10.0, 1), (10.005, 2)]
    assert replay(trace(MODELS, *requests), BUDGET, lru).loads == 1
    assert replay(trace(MODELS, *requests, (10.02, 2)), BUDGET, lru).loads == 2


def test_cpu_answers_queue_for_the_cores() -> None:
    """Nine at once on eight cores, a second each: the ninth takes two."""
    outcome = replay(trace(MODELS[:2], *[(0.0, 1)] * 9), 15, lru)
    assert outcome.mean == pytest.approx(10 / 9)
    assert outcome.within == 0


def test_loads_take_a_core() -> None:
    slow = replay(trace(MODELS, *[(0.0, 1)] * 9), BUDGET, lru)
    assert slow.mean > replay(trace(MODELS, *[(0.0, 1)] * 9), 15, lru).mean


class Greedy(Lru):
    """Evicts whatever it is told to."""

    def __init__(self, victims: Sequence[int]) -> None:
        super().__init__()
        self._victims = victims

    def missed(self, model: int, now: float, card: Card) -> Sequence[int] | None:
        return self._victims


def test_a_policy_that_cheats_is_caught() -> None:
    with pytest.raises(AssertionError, match="critical may not leave"):
        replay(trace(MODELS, (0.0, 1)), BUDGET, lambda _trace, _budget: Greedy([0]))


def test_what_does_not_fit_never_begins() -> None:
    """Promised more than there is: the second waits for memory that nobody frees."""
    outcome = replay(trace(MODELS, (0.0, 1), (1.0, 2)), BUDGET, lambda _trace, _budget: Greedy([]))
    assert outcome.loads == 1


def test_a_card_is_never_overdrawn() -> None:
    card = Card(MODELS, BUDGET)
    card.move(1, State.LOADING)
    with pytest.raises(AssertionError, match="120 bytes are charged of 100"):
        card.move(2, State.LOADING)


def test_what_waits_has_a_claim_on_what_leaves() -> None:
    card = Card(MODELS, BUDGET)
    card.move(1, State.READY)
    card.move(1, State.UNLOADING)
    card.move(2, State.WAITING)
    assert card.free == 40
    card.move(3, State.WAITING)
    assert card.free == 20
    assert card.evictable(0.0) == []


@settings(max_examples=80, deadline=None)
@given(traces())
def test_no_policy_breaks_the_rule(given_trace: Trace) -> None:
    """The card asserts the budget at every step; ours keeps zones and residency too."""
    for name, contestant in POLICIES.items():
        outcome = replay(given_trace, BUDGET, contestant)
        assert outcome.requests == len(given_trace.times)
        assert outcome.saved <= given_trace.gains[given_trace.asked].sum() + 1e-9
        stays = len(outcome.residencies)
        assert stays - 1 <= outcome.loads <= stays - 1 + 2  # one is critical, two may be loading at the end
        if name == OURS:
            assert (outcome.upward, outcome.young) == (0, 0)


@settings(max_examples=30, deadline=None)
@given(traces())
def test_a_replay_is_deterministic(given_trace: Trace) -> None:
    for contestant in POLICIES.values():
        assert replay(given_trace, BUDGET, contestant) == replay(given_trace, BUDGET, contestant)
