"""The placements benchmark: its targets, and a run of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.bench.measurement import Block, Series
from cli.bench.placements import PLACEMENTS, compare, ratios
from models.library import Library


def _series(*milliseconds: float) -> Series:
    return Series(tuple(Block((spent / 1000,), spent / 1000, 6) for spent in milliseconds))


@pytest.mark.unit
def test_a_hop_may_cost_five_milliseconds() -> None:
    """The median over blocks of the differences, not the difference of medians."""
    series = {f"{placement}, {clients}": _series(20, 40, 30) for placement in PLACEMENTS for clients in (1, 8)}
    series["colocated, 1"] = _series(24, 46, 35)
    hop, *others = ratios(series)
    assert hop.value == pytest.approx(5)
    assert (hop.target, hop.verdict) == (5, "pass")
    assert [one.verdict for one in others] == ["–"] * 4
    series["colocated, 1"] = _series(26, 46, 36)
    assert ratios(series)[0].verdict == "FAIL"


@pytest.mark.load
def test_every_placement_finds_the_six(library: Library, six_faces: Path) -> None:
    series = compare(six_faces, 8, 1)
    assert {faces for one in series.values() for faces in one.faces} == {6}
