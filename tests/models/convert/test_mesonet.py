"""Our Meso-4 and MesoInception-4 give the probabilities of the reference conversions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.integration


@pytest.mark.parametrize(
    ("converter", "weights"),
    [("mesonet4", "meso4_df"), ("mesoinception", "mesoinception_df"), ("mesoinception", "mesoinception_f2f")],
)
@pytest.mark.parametrize("pictures", ["faces", "noise"])
def test_probabilities_agree(
    converter: str,
    weights: str,
    pictures: str,
    request: pytest.FixtureRequest,
    converted: Callable[..., Path],
    reference: Callable[[str], Path],
    agree: Callable[..., None],
) -> None:
    """On real faces and on noise, RGB in 0..1."""
    pixels: Any = request.getfixturevalue(pictures)(256)
    agree(converted(converter, weights), reference(weights), {}, pixels.astype(np.float32) / 255)
