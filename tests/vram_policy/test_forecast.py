"""Forecasts: right for what is steady, quick for what bursts, and finite for everything."""

from __future__ import annotations

from statistics import fmean, pstdev

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vram_policy.forecast import MEMORIES, Forecast

pytestmark = pytest.mark.unit


def steady(rate: float, seconds: float, seed: int = 0) -> list[float]:
    random = np.random.default_rng(seed)
    return sorted(random.uniform(0, seconds, random.poisson(rate * seconds)).tolist())


def fed(times: list[float]) -> Forecast:
    forecast = Forecast()
    for moment in times:
        forecast.observe(moment, moment)
    return forecast


@pytest.mark.parametrize("rate", [0.05, 0.5, 2.0])
def test_a_steady_rate_is_found(rate: float) -> None:
    found = [fed(steady(rate, 1800, seed)).rate(1800, 1800) for seed in range(20)]
    assert fmean(found) == pytest.approx(rate, rel=0.15)


def test_who_comes_seldom_is_known_better_than_by_the_short_memory() -> None:
    """Twenty seconds between requests: a count over thirty scatters by two thirds."""
    rate = 0.05
    found, short = [], []
    for seed in range(30):
        times = steady(rate, 1800, seed)
        found.append(fed(times).rate(1800, 1800))
        short.append(sum(np.exp((moment - 1800) / 30) for moment in times) / 30)
    assert pstdev(found) < 0.6 * pstdev(short)


def test_a_burst_is_noticed_within_seconds_and_forgotten_within_minutes() -> None:
    forecast = fed([*steady(0.01, 1800), *np.arange(1800, 1830, 0.25).tolist()])
    assert forecast.rate(1830, 1830) > 2
    assert forecast.rate(1950, 1950) < 0.3


def test_the_first_request_is_one_in_thirty_seconds() -> None:
    """Or more often, says the shortest memory: counting has only begun."""
    forecast = Forecast()
    assert forecast.rate(0, 0) == 0
    forecast.observe(7.0, 0.0)
    assert 1 / 40 < forecast.rate(7.0, 0.0) < 1 / 15
    assert forecast.rate(7.0, 0.0, apart=1) == 0


@given(st.lists(st.floats(0, 1e5), min_size=1, max_size=60), st.floats(0, 1e6))
def test_a_forecast_is_a_finite_rate_that_falls_in_silence(gaps: list[float], silence: float) -> None:
    times = np.cumsum(gaps).tolist()
    forecast = fed(times)
    last = times[-1]
    now, later = forecast.rate(last, last), forecast.rate(last + silence, last + silence)
    assert 0 <= later <= now * (1 + 1e-9)
    assert now <= len(times) / (MEMORIES[0] * (1 - np.exp(-2))) * (1 + 1e-9)
