"""The starter's word on liveness."""

from __future__ import annotations

import numpy as np
import pytest

from models.catalogue import load_catalogue
from runners.crops import ShiftedCrop
from runners.liveness.starter import StarterLiveness

pytestmark = pytest.mark.unit


def test_a_logit_is_a_chance_and_a_verdict() -> None:
    spec = load_catalogue().spec("starter_liveness")
    assert spec.threshold
    high, low = StarterLiveness(spec).post({"live": np.array([[9.0], [-9.0]], np.float32)})
    assert high.live
    assert not low.live
    assert (high.score, low.score) == pytest.approx((1 / (1 + np.exp(-9)), 1 / (1 + np.exp(9))), rel=1e-3)
    assert high.threshold == low.threshold == spec.threshold.value


def test_it_looks_from_near_and_from_farther_away() -> None:
    crops = StarterLiveness(load_catalogue().spec("starter_liveness")).crops
    assert crops == (ShiftedCrop(1.0, (80, 80)), ShiftedCrop(2.7, (80, 80)))
