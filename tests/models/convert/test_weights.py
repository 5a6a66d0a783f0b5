"""Weights are taken once, in the shape the network expects, and all of them."""

from __future__ import annotations

import numpy as np
import pytest

from facesocial.errors import ConversionError
from models.convert.weights import Weights

pytestmark = pytest.mark.unit


def test_every_tensor_is_taken_once() -> None:
    """Then `finish` is content; a second `take` is not."""
    weights = Weights({"a": np.ones((2, 3), np.float32), "count": np.array(4)})
    assert weights.take("a", 2, 3).shape == (2, 3)
    weights.drop("count")
    weights.finish()
    with pytest.raises(ConversionError, match="no tensor a"):
        weights.take("a", 2, 3)


def test_left_over_tensors_are_refused() -> None:
    """They mean another network."""
    with pytest.raises(ConversionError, match="1 tensors too many"):
        Weights({"a": np.ones(1, np.float32)}).finish()


@pytest.mark.parametrize(
    "tensor",
    [np.ones((3, 2), np.float32), np.ones((2, 3), np.float64), np.full((2, 3), np.nan, np.float32)],
)
def test_another_shape_dtype_or_a_nan_is_refused(tensor: np.ndarray) -> None:
    """By name."""
    with pytest.raises(ConversionError, match="tensor a"):
        Weights({"a": tensor}).take("a", 2, 3)
