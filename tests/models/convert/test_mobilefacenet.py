"""Our MobileFaceNet gives the embeddings of the reference conversion."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.integration

MEAN = np.array([0.485, 0.456, 0.406], np.float32).reshape(1, 3, 1, 1)
STD = np.array([0.229, 0.224, 0.225], np.float32).reshape(1, 3, 1, 1)


@pytest.mark.parametrize("pictures", ["faces", "noise"])
def test_embeddings_agree(
    pictures: str,
    request: pytest.FixtureRequest,
    converted: Callable[..., Path],
    reference: Callable[[str], Path],
    agree: Callable[..., None],
) -> None:
    """On real faces and on noise, normalised as its authors do."""
    pixels: Any = request.getfixturevalue(pictures)(112)
    x = (pixels.astype(np.float32) / 255 - MEAN) / STD
    agree(converted("mobilefacenet", "mobilefacenet"), reference("mobilefacenet_foamliu_dyn"), {}, x)
