"""YOLOv10 trained on faces (akanametov: yolov10n-face)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from runners.detection.base import Candidates, DetectionAdapter
from vram_policy.lease import Array


class YoloV10Face(DetectionAdapter):
    """One output [1, 300, 6]: x1, y1, x2, y2 in pixels of the canvas, score, class; already without doubles.

    The network is trained to answer each face once (Ultralytics, `v10Detect`), so its catalogue entry names no
    `nms_iou`. It gives no landmarks.
    """

    def decode(self, outputs: Mapping[str, Array], canvas: tuple[int, int], min_score: float) -> Candidates:  # noqa: ARG002 — its boxes are in pixels already
        """See `DetectionAdapter.decode`."""
        (rows,) = (np.asarray(output, np.float32)[0] for output in outputs.values())
        found = rows[rows[:, 4] >= min_score]
        return Candidates(found[:, :4], found[:, 4], None)
