"""The tensors of a source, each to be taken once, under the name and in the shape the network expects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from facesocial.errors import ConversionError

Array = npt.NDArray[np.float32]


class Weights:
    """Holds a source to its network: a missing, left-over, misshapen or non-finite tensor is a `ConversionError`."""

    def __init__(self, tensors: Mapping[str, npt.NDArray[Any]]) -> None:
        self._left = dict(tensors)

    def take(self, name: str, *shape: int) -> Array:
        """The float32 tensor of this name and shape, which is then used up.

        Raises:
            ConversionError: it is missing, has another shape or dtype, or holds a NaN or infinity.
        """
        tensor = self._left.pop(name, None)
        if tensor is None:
            raise ConversionError(f"the source has no tensor {name}: it holds another network")
        if tensor.dtype != np.float32 or tensor.shape != shape:
            raise ConversionError(f"tensor {name} is {tensor.dtype}{list(tensor.shape)}, expected float32{list(shape)}")
        if not np.isfinite(tensor).all():
            raise ConversionError(f"tensor {name} holds a number that is not finite")
        return tensor

    def drop(self, name: str) -> None:
        """Uses up a tensor that inference does not need."""
        self._left.pop(name, None)

    def finish(self) -> None:
        """Checks that the network took everything.

        Raises:
            ConversionError: tensors are left.
        """
        if self._left:
            raise ConversionError(f"the source has {len(self._left)} tensors too many: it holds another network")
