"""When our figure counts as theirs."""

from __future__ import annotations

import pytest

from cli.bench.metrics import Estimate
from cli.bench.references import verdict

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("reference", "more_is_better", "said"),
    [
        (None, True, "–"),
        (0.953, True, "within"),
        (0.96, True, "within"),
        (0.97, True, "WORSE"),
        (0.90, True, "better"),
        (0.97, False, "better"),
        (0.90, False, "WORSE"),
    ],
)
def test_verdict(reference: float | None, more_is_better: bool, said: str) -> None:
    """Ours is .95 [.94, .965]."""
    assert verdict(Estimate(0.95, 0.94, 0.965), reference, more_is_better) == said


def test_a_narrow_interval_still_permits_three_tenths_of_a_point() -> None:
    assert verdict(Estimate(0.95, 0.9499, 0.9501), 0.9525) == "within"
    assert verdict(Estimate(0.95, 0.9499, 0.9501), 0.9535) == "WORSE"
