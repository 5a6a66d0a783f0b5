"""YuNet (libfacedetection, opencv_zoo)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from runners.detection.base import Candidates, DetectionAdapter
from runners.detection.grid import STRIDES, cells
from vram_policy.lease import Array


class YuNet(DetectionAdapter):
    """Four maps per stride: class, objectness, box, landmarks.

    score = √(cls · obj); centre = (cell + b) · stride; size = exp(b) · stride; landmark = (cell + k) · stride
    (OpenCV `face_detect.cpp`).
    """

    def decode(self, outputs: Mapping[str, Array], canvas: tuple[int, int], min_score: float) -> Candidates:
        """See `DetectionAdapter.decode`."""
        boxes, scores, points = [], [], []
        for stride in STRIDES:
            maps = {
                name: np.asarray(outputs[f"{name}_{stride}"], np.float32)[0] for name in ("cls", "obj", "bbox", "kps")
            }
            score = np.sqrt(np.clip(maps["cls"], 0, 1) * np.clip(maps["obj"], 0, 1)).reshape(-1)
            found = np.flatnonzero(score >= min_score)
            grid, box = cells(canvas, stride)[found], maps["bbox"][found]
            centre, half = (grid + box[:, :2]) * stride, np.exp(box[:, 2:]) * stride / 2
            boxes.append(np.concatenate([centre - half, centre + half], axis=1))
            points.append((maps["kps"][found].reshape(-1, 5, 2) + grid[:, None]) * stride)
            scores.append(score[found])
        return Candidates(np.concatenate(boxes), np.concatenate(scores), np.concatenate(points))
