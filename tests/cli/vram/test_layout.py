"""What is planned fits, in the order of the zones, whatever the card."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.vram.layout import CELLS, Dweller, Stay, cells, lay_out
from facesocial.capabilities import Capability
from vram_policy import Costs, Footprint, Profile, Zone
from vram_policy.budget import CONTEXT
from vram_policy.zones import RANK

pytestmark = pytest.mark.unit

COSTS = Costs(cpu=0.1, gpu=0.01, load=1.0, load_cpu=0.5)
MEBI = 1 << 20


def dweller(
    name: str, zone: Zone, peak: int, capability: Capability = Capability.DETECTION, pin: bool = False
) -> Dweller:
    """A model of `peak` MiB."""
    size = peak * MEBI
    return Dweller(name, capability, zone, pin, Profile(Footprint(size, size, size), COSTS))


dwellers = st.lists(
    st.builds(
        dweller,
        st.text(min_size=1),
        st.sampled_from(["critical", "high", "flexible"]),
        st.integers(1, 5000),
        st.sampled_from(Capability),
        st.booleans(),
    ),
    min_size=1,
    max_size=8,
)
placements = st.sampled_from(["embedded", "colocated", "isolated"])


@given(placements, st.integers(0, 24_000), dwellers, st.integers(0, 1000))
def test_nothing_is_promised_twice(placement: str, total: int, those: Sequence[Dweller], headroom: int) -> None:
    layout = lay_out(placement, total * MEBI, those, headroom * MEBI)  # type: ignore[arg-type]
    assert sorted(place.dweller.name for place in layout.places) == sorted(one.name for one in those)
    housed = sum(one.profile.footprint.peak for one in layout.housed)
    assert housed <= layout.budget <= max(0, layout.total - layout.contexts - layout.headroom)
    for name, budget in layout.budgets.items():
        own = [place for place in layout.places if place.process == name]
        assert all(place.sum <= budget for place in own)
        assert all(place.dweller.profile.footprint.peak <= budget for place in own if place.stay is not Stay.CPU)
        ranks = [RANK[place.dweller.zone] for place in own]
        assert ranks == sorted(ranks, reverse=True)
    assert all(place.dweller.zone == "critical" for place in layout.places if place.stay is Stay.START)


def test_how_long_each_stays() -> None:
    """1000 MiB for models: the critical one at once, a high one when asked for, the next in turns, the giant never."""
    those = [
        dweller("giant", "flexible", 1200),
        dweller("first", "high", 500),
        dweller("second", "high", 400),
        dweller("detector", "critical", 300),
    ]
    layout = lay_out("colocated", CONTEXT + 1256 * MEBI, those, 256 * MEBI)
    stays = {place.dweller.name: (place.stay, place.sum // MEBI) for place in layout.places}
    assert stays == {
        "detector": (Stay.START, 300),
        "first": (Stay.REQUEST, 800),
        "second": (Stay.TURN, 800),
        "giant": (Stay.CPU, 800),
    }


def test_pinned_models_come_first_in_their_zone() -> None:
    those = [dweller("a", "high", 400), dweller("b", "high", 400, pin=True)]
    assert [one.name for one in lay_out("embedded", CONTEXT + 500 * MEBI, those, 0).housed] == ["b"]


def test_isolated_pays_a_context_for_each_capability() -> None:
    those = [dweller("a", "critical", 1), dweller("b", "critical", 1), dweller("c", "high", 1, Capability.LIVENESS)]
    layout = lay_out("isolated", 6000 * MEBI, those, 0)
    assert layout.contexts == 2 * CONTEXT
    assert set(layout.budgets) == {"facesocial_detection", "facesocial_liveness"}


def test_a_limit_holds() -> None:
    assert lay_out("colocated", 6000 * MEBI, [dweller("a", "critical", 1)], 0, 100 * MEBI).budget == 100 * MEBI


@given(st.lists(st.integers(0, 10_000), max_size=12))
def test_the_bar_is_as_wide_as_it_is(sizes: Sequence[int]) -> None:
    total = max(1, sum(sizes))
    widths = cells(sizes, total)
    assert len(widths) == len(sizes)
    assert all(width >= 0 for width in widths)
    assert sum(widths) == (CELLS if any(sizes) else 0)
    assert all(width == 0 for size, width in zip(sizes, widths, strict=True) if not size)
    assert all(abs(width - CELLS * size / total) <= len(sizes) + 1 for size, width in zip(sizes, widths, strict=True))
