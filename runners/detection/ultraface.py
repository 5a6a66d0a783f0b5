"""UltraFace (Linzaer: Ultra-Light-Fast-Generic-Face-Detector, version RFB-320)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from runners.detection.base import Candidates, DetectionAdapter
from vram_policy.lease import Array

FACE = 1
"""Index of the class 'face' in `scores`; 0 is the background."""


class UltraFace(DetectionAdapter):
    """`scores` [1, 4420, 2] after softmax and `boxes` [1, 4420, 4], x1 y1 x2 y2 in fractions of the canvas.

    The anchors are inside the graph. It gives no landmarks.
    """

    def decode(self, outputs: Mapping[str, Array], canvas: tuple[int, int], min_score: float) -> Candidates:
        """See `DetectionAdapter.decode`."""
        score = np.asarray(outputs["scores"], np.float32)[0, :, FACE]
        found = np.flatnonzero(score >= min_score)
        boxes = np.asarray(outputs["boxes"], np.float32)[0, found] * np.array(canvas * 2, np.float32)
        return Candidates(boxes, score[found], None)
