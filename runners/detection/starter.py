"""Our own detector (`training/detector`): an anchor-free pyramid."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from runners.detection.base import Candidates, DetectionAdapter
from runners.detection.grid import STRIDES, cells
from runners.tensors import sigmoid
from vram_policy.lease import Array


class StarterDetector(DetectionAdapter):
    """One output [1, cells, 15], cells by rising stride, row by row; lengths in strides, from the cell's centre.

    A score as a logit; the distances to left, top, right and bottom of the box; x and y of five landmarks.
    """

    def decode(self, outputs: Mapping[str, Array], canvas: tuple[int, int], min_score: float) -> Candidates:
        """See `DetectionAdapter.decode`."""
        (values,) = (np.asarray(output, np.float32)[0] for output in outputs.values())
        grids = [cells(canvas, stride) for stride in STRIDES]
        strides = np.repeat(np.array(STRIDES, np.float32), [len(grid) for grid in grids])[:, None]
        centres = (np.concatenate(grids) + np.float32(0.5)) * strides
        scores = sigmoid(values[:, 0])
        found = np.flatnonzero(scores >= min_score)
        values, centres, strides = values[found], centres[found], strides[found]
        sides = values[:, 1:5] * strides
        boxes = np.concatenate([centres - sides[:, :2], centres + sides[:, 2:]], axis=1)
        points = (values[:, 5:] * strides).reshape(-1, 5, 2) + centres[:, None]
        return Candidates(boxes, scores[found], points)
