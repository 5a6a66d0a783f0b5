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
