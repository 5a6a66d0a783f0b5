"""hairymax: index 0 is live; the publisher's sample pictures with the real weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cli.bench import accuracy
from cli.bench.accuracy_table import pipeline_with
from facesocial.capabilities import Capability
from models.catalogue import load_catalogue
from models.library import Library
from runners.liveness.hairymax import Hairymax


@pytest.mark.unit
def test_the_first_logit_is_live() -> None:
    """Softmax of two logits, at the catalogue's threshold."""
    adapter = Hairymax(load_catalogue().spec("antispoofing_bin_1.5_128"))
    live, spoof = adapter.post({"output": np.array([[np.log(9), 0], [0, np.log(9)]], np.float32)})
    assert live.live
    assert not spoof.live
    assert [live.score, spoof.score] == pytest.approx([0.9, 0.1])


@pytest.mark.integration
def test_sample_pictures(library: Library, data: Path) -> None:
    """The attacks and the live one score within 0.1 of what the reference measured (.001, .096 and 1.0)."""
    pipeline = pipeline_with(library, "scrfd_2.5g", {Capability.LIVENESS: "antispoofing_bin_1.5_128"})
    assert accuracy.samples(pipeline, data) == pytest.approx((0.001, 0.096, 1.0), abs=0.1)
