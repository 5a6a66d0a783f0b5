"""YOLOv5-face (deepcam-cn: yolov5n-0.5, yolov5n, yolov5s)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from facesocial.results import Tensor
from runners.detection.base import Candidates, DetectionAdapter
from runners.detection.grid import cells
from runners.tensors import sigmoid
from vram_policy.lease import Array

ANCHORS: Final[Mapping[int, Tensor]] = {
    8: np.array([[4, 5], [8, 10], [13, 16]], np.float32),
    16: np.array([[23, 29], [43, 55], [73, 105]], np.float32),
    32: np.array([[146, 217], [231, 300], [335, 433]], np.float32),
}
"""Width and height in pixels of the three anchors per stride (deepcam-cn/yolov5-face, `models/yolov5n-0.5.yaml`)."""


class YoloV5Face(DetectionAdapter):
    """Rows of 16: centre, size, objectness, 5 · (x, y), class; the score is objectness · class.

    Either a raw map [1, 3, rows, columns, 16] per stride, in any order: centre = (2σ(v) − ½ + cell) · stride,
    size = (2σ(v))² · anchor, landmark = v · anchor + cell · stride (deepcam-cn/yolov5-face, `models/yolo.py`); or one
    output [1, n, 16] of an export that holds these formulas (yakhyo's).
    """

    def decode(self, outputs: Mapping[str, Array], canvas: tuple[int, int], min_score: float) -> Candidates:
        """See `DetectionAdapter.decode`."""
        arrays = [np.asarray(output, np.float32)[0] for output in outputs.values()]
        rows = np.concatenate([_decoded(array, canvas, min_score) if array.ndim == 4 else array for array in arrays])
        score = rows[:, 4] * rows[:, 15]
        found = np.flatnonzero(score >= min_score)
        centre, half, points = rows[found, :2], rows[found, 2:4] / 2, rows[found, 5:15].reshape(-1, 5, 2)
        return Candidates(np.concatenate([centre - half, centre + half], axis=1), score[found], points)


def _decoded(raw: Tensor, canvas: tuple[int, int], min_score: float) -> Tensor:
    """float32 [n, 16] in pixels and probabilities: the rows of a raw map whose objectness alone passes."""
    stride = canvas[0] // raw.shape[2]
    anchor, cell = np.nonzero(sigmoid(raw[..., 4]).reshape(len(raw), -1) >= min_score)
    rows = raw.reshape(len(raw), -1, 16)[anchor, cell]
    size, corner = ANCHORS[stride][anchor], cells(canvas, stride)[cell] * stride
    rows[:, [*range(5), 15]] = sigmoid(rows[:, [*range(5), 15]])
    rows[:, :2] = (rows[:, :2] * 2 - np.float32(0.5)) * stride + corner
    rows[:, 2:4] = (rows[:, 2:4] * 2) ** 2 * size
    rows[:, 5:15] = rows[:, 5:15] * np.tile(size, 5) + np.tile(corner, 5)
    return rows
