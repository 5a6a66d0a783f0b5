"""The best schedule: equal to brute force, above every policy, below the bound by a price."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings

from tests.vram_policy.simulation.small import BUDGET, model, trace, traces
from vram_policy.simulation.bound import bound
from vram_policy.simulation.optimum import optimum
from vram_policy.simulation.policies import POLICIES
from vram_policy.simulation.replay import replay
from vram_policy.simulation.trace import Trace

pytestmark = pytest.mark.unit

Stay = tuple[float, float, float, int]
"""Charged from, charged until, worth, bytes."""


def stays(given_trace: Trace, index: int) -> Iterator[Sequence[Stay]]:
    """Everything one model may do: each request is answered by the CPU, by a new stay, or by the stay before."""
    one, times = given_trace.models[index], given_trace.of(index).tolist()
    for choice in product(("cpu", "come", "stay"), repeat=len(times)):
        found: list[Stay] = []
        there, possible = False, True
        for moment, what in zip(times, choice, strict=True):
            if what == "stay":
                possible &= there
            if what == "come":
                possible &= moment - one.costs.load >= (found[-1][1] if found else 0.0)
                found.append((moment - one.costs.load, moment, -one.costs.load_cpu, one.bytes))
            there = what != "cpu"
            if there and found:
                begin, _, worth, size = found[-1]
                found[-1] = (begin, moment, worth + one.costs.cpu, size)
        if possible:
            yield found


def brute_force(given_trace: Trace, budget: int) -> float:
    """Every schedule of every model, each checked between all moments at which anything begins or ends."""
    best = -np.inf
    certain = len(given_trace.of(0)) * given_trace.models[0].costs.cpu
    room = budget - given_trace.models[0].bytes
    for schedules in product(*(stays(given_trace, index) for index in range(1, len(given_trace.models)))):
        every = [stay for schedule in schedules for stay in schedule]
        moments = sorted({moment for begin, end, _, _ in every for moment in (begin, end)})
        between = [(first + second) / 2 for first, second in pairwise(moments)]
        if all(sum(size for begin, end, _, size in every if begin < one < end) <= room for one in between):
            best = max(best, sum(worth for _, _, worth, _ in every))
    return certain + float(best)


@settings(max_examples=60, deadline=None)
@given(traces(models_most=3, requests_most=7))
def test_is_what_brute_force_finds(given_trace: Trace) -> None:
    fitting = tuple(replace(one, pin=False) for one in given_trace.models)
    tiny = replace(given_trace, models=fitting)
    assert optimum(tiny, BUDGET) == pytest.approx(brute_force(tiny, BUDGET))


@settings(max_examples=60, deadline=None)
@given(traces())
def test_no_policy_saves_more_and_no_price_bounds_lower(given_trace: Trace) -> None:
    best = optimum(given_trace, BUDGET)
    assert best <= bound(given_trace, BUDGET, bucket=20, steps=20, aim=best) + 1e-6
    assert best <= bound(given_trace, BUDGET, bucket=1e9, steps=5) + 1e-6
    for name, contestant in POLICIES.items():
        assert replay(given_trace, BUDGET, contestant).net <= best + 1e-6, name


def test_two_that_do_not_fit_together_take_turns() -> None:
    """Twenty answers each, one after the other: both loads pay. In turn: only one of them."""
    models = (model("critical", "critical", 10), model("one"), model("other"))
    after = [(10.0 + second, 1 + (second >= 20)) for second in range(40)]
    assert optimum(trace(models, *after), BUDGET) == pytest.approx(
        40 - 2 * 2.4 - 2
    )  # two requests while the other loads
    by_turns = [(10.0 + second, 1 + second % 2) for second in range(40)]
    assert optimum(trace(models, *by_turns), BUDGET) == pytest.approx(20 - 2.4)


def test_a_price_bounds_a_fraction_of_a_model_too() -> None:
    """Two models of two thirds: one and a half of them would fit, were they divisible; which is why it is above."""
    models = (model("critical", "critical", 10), model("one"), model("other"))
    requests = trace(models, *((float(second), 1 + second % 2) for second in range(10, 200)))
    best = optimum(requests, BUDGET)
    priced = bound(requests, BUDGET, bucket=10, steps=100, aim=best)
    assert best < priced <= 1.6 * best


def test_many_models_are_left_to_the_price() -> None:
    models = (model("critical", "critical", 10), *(model(f"m{index}", size=5) for index in range(17)))
    requests = trace(models, *((float(second), 1 + second % 17) for second in range(100)))
    with pytest.raises(ValueError, match="17 models fit"):
        optimum(requests, BUDGET)
    assert bound(requests, BUDGET) > 0
