"""YOLOv8-face with landmarks (derronqi; yolov8-lite-t, yolov8n-face)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from facesocial.results import Tensor
from runners.detection.base import Candidates, DetectionAdapter
from runners.detection.grid import cells
from runners.tensors import sigmoid, softmax
from vram_policy.lease import Array

BINS = 16
"""Distances 0 … 15 strides whose softmax-weighted mean is the distance of a side (distribution focal loss)."""


class YoloV8Face(DetectionAdapter):
    """A map [1, 80, rows, columns] per stride, in any order: 4 · 16 distances, a class logit, 5 · (x, y, visibility).

    A side lies its mean distance · stride from the middle of the cell; landmark = (2k + cell) · stride
    (derronqi/yolov8-face, `head.py`: `dist2bbox`, `kpts_decode`). The box logits are read where the score passes alone.
    """

    def decode(self, outputs: Mapping[str, Array], canvas: tuple[int, int], min_score: float) -> Candidates:
        """See `DetectionAdapter.decode`."""
        levels = [_level(np.asarray(output, np.float32)[0], canvas, min_score) for output in outputs.values()]
        boxes, scores, points = (np.concatenate(parts) for parts in zip(*levels, strict=True))
        return Candidates(boxes, scores, points)


def _level(output: Tensor, canvas: tuple[int, int], min_score: float) -> tuple[Tensor, Tensor, Tensor]:
    stride = canvas[0] // output.shape[2]
    channels = output.reshape(len(output), -1)
    score = sigmoid(channels[4 * BINS])
    found = np.flatnonzero(score >= min_score)
    rows, grid = channels[:, found].T, cells(canvas, stride)[found]
    distance = softmax(rows[:, : 4 * BINS].reshape(-1, 4, BINS)) @ np.arange(BINS, dtype=np.float32)
    middle = grid + np.float32(0.5)
    box = np.concatenate([middle - distance[:, :2], middle + distance[:, 2:]], axis=1) * stride
    points = (rows[:, 4 * BINS + 1 :].reshape(-1, 5, 3)[:, :, :2] * 2 + grid[:, None]) * stride
    return box, score[found], points
