"""Our age and gender network gives the years and probabilities of the reference conversion."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.integration


@pytest.mark.parametrize("pictures", ["faces", "noise"])
def test_ages_and_genders_agree(
    pictures: str,
    request: pytest.FixtureRequest,
    converted: Callable[..., Path],
    reference: Callable[[str], Path],
    agree: Callable[..., None],
) -> None:
    """On real faces and on noise, RGB in 0..255."""
    pixels: Any = request.getfixturevalue(pictures)(112)
    ours = converted("faceapi_age_gender", "age_gender_manifest", "age_gender_shard")
    agree(ours, reference("faceapi_age_gender"), {}, pixels.astype(np.float32))


def test_the_order_of_manifest_and_shard_does_not_matter(converted: Callable[..., Path]) -> None:
    """The manifest is found by its content."""
    ours = converted("faceapi_age_gender", "age_gender_manifest", "age_gender_shard")
    other = converted("faceapi_age_gender", "age_gender_shard", "age_gender_manifest")
    assert ours.read_bytes() == other.read_bytes()
