"""The cells that anchor-free and anchored detectors count in."""

from __future__ import annotations

from functools import cache
from typing import Final

import numpy as np

from facesocial.results import Tensor

STRIDES: Final = (8, 16, 32)
"""Pixels of the canvas per cell, one map each."""


@cache
def cells(canvas: tuple[int, int], stride: int) -> Tensor:
    """float32 [rows · columns, 2]: column and row of each cell of a canvas (width, height), row by row. Read only."""
    y, x = np.mgrid[: canvas[1] // stride, : canvas[0] // stride]
    grid = np.stack([x, y], axis=-1).reshape(-1, 2).astype(np.float32)
    grid.flags.writeable = False  # shared by every request
    return grid
