"""A card is divided once: never more than there is, each zone its share, each process its context."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vram_policy.budget import CONTEXT, HEADROOM, share_out, spread
from vram_policy.zones import Zone

pytestmark = pytest.mark.unit

zones = st.sampled_from(["critical", "high", "flexible"])


def test_one_process_gets_all_that_is_left() -> None:
    total = 6 << 30
    assert share_out(total, {"one": ("critical", "high", "flexible")}) == {"one": total - CONTEXT - HEADROOM}


def test_zones_divide_as_the_overview_says() -> None:
    """2 : 2.5 : 1.5, the high zone's half for each of its two."""
    budget = share_out(6 << 30, {"a": ("critical",), "b": ("high",), "c": ("high",), "d": ("flexible",)})
    assert budget["a"] / budget["d"] == pytest.approx(2 / 1.5)
    assert budget["b"] == budget["c"] == pytest.approx(budget["a"] * 2.5 / 2 / 2)


def test_a_card_too_small_gives_nothing() -> None:
    assert share_out(512 << 20, {"a": ("critical",), "b": ("high",)}) == {"a": 0, "b": 0}


@given(st.integers(0, 1 << 40), st.dictionaries(st.text(), st.lists(zones, max_size=4).map(tuple), max_size=8))
def test_never_more_than_there_is(total: int, processes: dict[str, tuple[str, ...]]) -> None:
    budgets = share_out(total, processes)  # type: ignore[arg-type]
    assert budgets.keys() == processes.keys()
    assert all(share >= 0 for share in budgets.values())
    assert sum(budgets.values()) <= max(0, total - CONTEXT * len(processes) - HEADROOM)
    assert all(share == 0 for name, share in budgets.items() if not processes[name])


def test_one_process_uses_every_card() -> None:
    budgets = spread([6 << 30, 4 << 30], {"one": ("critical", "high", "flexible")})
    assert budgets == {"one": {0: (6 << 30) - CONTEXT - HEADROOM, 1: (4 << 30) - CONTEXT - HEADROOM}}


def test_of_several_each_lives_on_one_card_and_a_card_is_not_lost_to_contexts() -> None:
    """The second card holds one context and a model, not two contexts and nothing."""
    processes: dict[str, tuple[Zone, ...]] = {
        "detection": ("critical",),
        "recognition": ("high",),
        "liveness": ("high",),
        "deepfake": ("flexible",),
        "demographics": ("flexible",),
    }
    budgets = spread([2 << 30, 1 << 30], processes)
    assert all(len(homes) == 1 for homes in budgets.values())
    second = [homes[1] for homes in budgets.values() if 1 in homes]
    assert len(second) == 1
    assert second[0] == (1 << 30) - CONTEXT - HEADROOM


@given(
    st.lists(st.integers(0, 1 << 35), min_size=1, max_size=4),
    st.dictionaries(st.text(max_size=3), st.lists(zones, min_size=1, max_size=4).map(tuple), min_size=1, max_size=6),
)
def test_no_card_is_given_away_twice(cards: list[int], processes: dict[str, tuple[Zone, ...]]) -> None:
    budgets = spread(cards, processes)
    assert budgets.keys() == processes.keys()
    for index, total in enumerate(cards):
        given_ = [homes[index] for homes in budgets.values() if index in homes]
        assert sum(given_) + CONTEXT * len(given_) + HEADROOM <= total or not sum(given_)
