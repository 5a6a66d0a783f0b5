"""The starter's word on forgeries."""

from __future__ import annotations

import numpy as np
import pytest

from models.catalogue import load_catalogue
from runners.deepfake.starter import StarterDeepfake

pytestmark = pytest.mark.unit


def test_a_logit_is_a_chance_and_a_verdict() -> None:
    spec = load_catalogue().spec("starter_deepfake")
    assert spec.threshold
    forged, real = StarterDeepfake(spec).post({"fake": np.array([[9.0], [-9.0]], np.float32)})
    assert forged.fake
    assert not real.fake
    assert (forged.score, real.score) == pytest.approx((1 / (1 + np.exp(-9)), 1 / (1 + np.exp(9))), rel=1e-3)
    assert forged.threshold == spec.threshold.value
