"""SCRFD with landmarks (InsightFace: scrfd_500m, 2.5g, 10g)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import numpy as np

from facesocial.results import Tensor
from runners.detection.base import Candidates, DetectionAdapter
from runners.detection.grid import STRIDES, cells
from vram_policy.lease import Array

ANCHORS = 2


class Scrfd(DetectionAdapter):
    """Nine outputs in three groups (scores, box distances, landmark offsets), one per stride.

    Distances and offsets count in strides from the upper left corner of the cell; two anchors share a cell
    (InsightFace `model_zoo/scrfd.py`). Only what passes the score is decoded: with suppression, InsightFace's own takes
    7 times as long on the same outputs (and comes with the extra `demo` alone).
    """

    def decode(self, outputs: Mapping[str, Array], canvas: tuple[int, int], min_score: float) -> Candidates:
        """See `DetectionAdapter.decode`."""
        arrays = [np.asarray(output, np.float32) for output in outputs.values()]
        boxes, scores, points = [], [], []
        for level, stride in enumerate(STRIDES):
            score = arrays[level].reshape(-1)
            found = np.flatnonzero(score >= min_score)
            centres = _centres(canvas, stride)[found]
            distance = arrays[level + 3].reshape(-1, 4)[found] * stride
            offset = arrays[level + 6].reshape(-1, 5, 2)[found] * stride
            boxes.append(np.concatenate([centres - distance[:, :2], centres + distance[:, 2:]], axis=1))
            points.append(centres[:, None] + offset)
            scores.append(score[found])
        return Candidates(np.concatenate(boxes), np.concatenate(scores), np.concatenate(points))


@cache
def _centres(canvas: tuple[int, int], stride: int) -> Tensor:
    """float32 [cells · 2, 2]: x, y of each anchor."""
    return np.repeat(cells(canvas, stride) * np.float32(stride), ANCHORS, axis=0)
