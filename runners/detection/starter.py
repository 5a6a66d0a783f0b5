"""Our own detector (`training/detector`): an anchor-free pyramid."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from facesocial.results import Tensor
from runners.detection.base import Candidates, DetectionAdapter
from runners.detection.grid import STRIDES, cells
from runners.tensors import sigmoid
from vram_policy.lease import Array


class StarterDetector(DetectionAdapter):
    """One output [1, cells, 15], cells by rising stride, row by row; lengths in strides, from the cell's centre.

    A score as a logit; the distances to left, top, right and bottom of the box; x and y of five landmarks. The cell
    that answers for a face gives its landmarks roughly; the finest cells about each of these places give it well.
    """

    def decode(self, outputs: Mapping[str, Array], canvas: tuple[int, int], min_score: float) -> Candidates:
        """See `DetectionAdapter.decode`."""
        (values,) = (np.asarray(output, np.float32)[0] for output in outputs.values())
        grids = [cells(canvas, stride) for stride in STRIDES]
        strides = np.repeat(np.array(STRIDES, np.float32), [len(grid) for grid in grids])[:, None]
        centres = (np.concatenate(grids) + np.float32(0.5)) * strides
        scores = sigmoid(values[:, 0])
        found = np.flatnonzero(scores >= min_score)
        finest = values[: len(grids[0]), 5:].reshape(-1, 5, 2)
        values, centres, strides = values[found], centres[found], strides[found]
        sides = values[:, 1:5] * strides
        boxes = np.concatenate([centres - sides[:, :2], centres + sides[:, 2:]], axis=1)
        points = (values[:, 5:] * strides).reshape(-1, 5, 2) + centres[:, None]
        return Candidates(boxes, scores[found], _refined(points, finest, canvas))


def _refined(points: Tensor, finest: Tensor, canvas: tuple[int, int]) -> Tensor:
    """Landmarks [n, 5, 2] as the four cells of the finest map about each see it, in the mean; rough outside the canvas.

    Args:
        points: rough ones, pixels of the canvas.
        finest: offsets [rows · columns, 5, 2] in strides from the cells' centres.
        canvas: (width, height).
    """
    stride = STRIDES[0]
    columns, rows = (side // stride for side in canvas)
    first = np.floor(points / np.float32(stride) - np.float32(0.5))
    about = first[:, :, None] + np.array([(0, 0), (1, 0), (0, 1), (1, 1)], np.float32)  # [n, 5, 4, 2]
    at = np.clip(about, 0, np.array([columns - 1, rows - 1], np.float32))
    numbers = (at[..., 1] * columns + at[..., 0]).astype(np.int64)
    seen = (at + np.float32(0.5) + finest[numbers, np.arange(5)[:, None]]) * np.float32(stride)
    inside = ((points >= 0) & (points <= np.array(canvas, np.float32))).all(axis=2, keepdims=True)
    return np.where(inside, seen.mean(axis=2), points).astype(np.float32)
