"""What is to be expected, and the price of loads that were not worth it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vram_policy.demand import PENALTY_MOST, Demand

pytestmark = pytest.mark.unit


def test_a_steady_stream_has_its_rate() -> None:
    """Ten a second for five minutes, then nothing: hardly any after another five."""
    demand = Demand()
    for number in range(3000):
        demand.observe("m", number / 10)
    now = 2999 / 10
    assert demand.forecast("m", now) == pytest.approx(10, rel=0.02)
    assert demand.forecast("m", now + 300) < 0.1
    assert demand.idle("m", now + 7) == pytest.approx(7)
    assert demand.asked("m") == 3000


@given(st.lists(st.floats(0, 1000), min_size=1, max_size=50).map(sorted), st.floats(0, 1000))
def test_a_forecast_is_never_negative(moments: list[float], later: float) -> None:
    """Nor more than was ever asked for in a second; a clock that stands still does no harm."""
    demand = Demand()
    for moment in moments:
        demand.observe("m", moment)
    now = moments[-1]
    assert 0 <= demand.forecast("m", now + later) <= len(moments)
    assert demand.forecast("m", now, apart=1) <= demand.forecast("m", now)
    assert demand.forecast("unknown", now) == 0


def test_a_load_undone_too_soon_costs_twice_as_much_next_time() -> None:
    """Up to a limit; one that paid for itself halves it again."""
    demand = Demand()
    assert demand.price("m", 3.0) == 3.0
    demand.loaded("m", 1.0)
    demand.saved("m", 1.9)
    demand.left("m")
    assert demand.price("m", 3.0) == 6.0
    for _ in range(20):
        demand.loaded("m", 1.0)
        demand.left("m")
    assert demand.price("m", 1.0) == PENALTY_MOST
    demand.loaded("m", 1.0)
    demand.saved("m", 2.0)
    demand.left("m")
    assert demand.price("m", 1.0) == PENALTY_MOST / 2


def test_who_left_begins_anew_and_who_is_forgotten_was_never_there() -> None:
    """Requests are counted since it last left; the rate stays."""
    demand = Demand()
    demand.observe("m", 1.0)
    demand.left("m")
    assert demand.asked("m") == 0
    assert demand.forecast("m", 1.0) > 0
    demand.forget("m")
    demand.forget("m")
    assert demand.forecast("m", 1.0) == 0
    assert demand.price("m", 1.0) == 1.0
