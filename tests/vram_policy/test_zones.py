"""Shares of the budget: never more than there is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vram_policy.zones import RANK, SHARES, Stand, share

pytestmark = pytest.mark.unit


def test_the_shares_are_those_of_the_overview() -> None:
    """2, 2.5 and 1.5 of 6."""
    assert [share(6000, zone) for zone in SHARES] == [2000, 2500, 1500]
    assert sum(SHARES.values()) == 1


@given(st.integers(0, 1 << 40))
def test_no_byte_is_guaranteed_twice(budget: int) -> None:
    """And at most one for each zone is lost to rounding."""
    assert budget - len(SHARES) < sum(share(budget, zone) for zone in SHARES) <= budget


def test_every_zone_has_a_rank_of_its_own() -> None:
    """Critical above high above flexible."""
    assert sorted(SHARES, key=lambda zone: -RANK[zone]) == ["critical", "high", "flexible"]
    assert not Stand("high").pin
