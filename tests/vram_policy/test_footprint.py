"""An estimate errs on the side of too much."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vram_policy.footprint import WORKSPACE, estimate

pytestmark = pytest.mark.unit

amounts = st.integers(0, 1 << 34)


@given(amounts, amounts)
def test_an_estimate_is_more_than_the_file_and_its_input(file_bytes: int, input_bytes: int) -> None:
    """Weights twice while they are copied, activations, workspace; nothing given back between runs."""
    profile = estimate(file_bytes, input_bytes)
    assert not profile.measured
    assert profile.footprint.weights == file_bytes
    assert profile.footprint.peak >= 2 * file_bytes + input_bytes + WORKSPACE
    assert profile.footprint.steady == profile.footprint.peak
    assert profile.costs.cpu > profile.costs.gpu > 0


@given(amounts, amounts, st.integers(0, 1 << 20))
def test_more_input_takes_more(file_bytes: int, input_bytes: int, more: int) -> None:
    """Bytes and seconds."""
    small, large = estimate(file_bytes, input_bytes), estimate(file_bytes, input_bytes + more)
    assert large.footprint.peak >= small.footprint.peak
    assert large.costs.cpu >= small.costs.cpu


@pytest.mark.parametrize(
    ("file_bytes", "item_bytes", "rows", "cpu", "load_cpu"),
    [
        (322_906, 640 * 640 * 12, 1, 0.020, 0.06),
        (3_974_000, 112 * 112 * 12, 16, 0.007, 0.26),
        (3_460_000, 2 * 80 * 80 * 12, 16, 0.010, 0.37),
        (121_000, 256 * 256 * 12, 16, 0.008, 0.38),
        (1_694_000, 112 * 112 * 12, 16, 0.003, 0.12),
    ],
)
def test_costs_are_near_what_was_measured(
    file_bytes: int, item_bytes: int, rows: int, cpu: float, load_cpu: float
) -> None:
    """The permissive pack, docs/benchmarks.md: the plan bears half to twice; a small load may count for more."""
    costs = estimate(file_bytes, rows * item_bytes, rows).costs
    assert cpu / 2 <= costs.cpu <= 2 * cpu
    assert load_cpu / 2 <= costs.load_cpu <= 4 * load_cpu
