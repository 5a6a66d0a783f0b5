"""Finding faces: fit the picture onto a canvas, run the network, decode, suppress doubles, map back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from facesocial.results import Face, Image, Tensor
from models.spec import ModelSpec
from runners.base import Outcome
from runners.core import Core
from runners.crops import PixelSource
from runners.tensors import to_nchw
from vram_policy.lease import Array

SIDES: Final = (480, 448, 384)
CANVASES: Final = (
    (640, 640),
    *((640, side) for side in SIDES),
    *((side, 640) for side in SIDES),
    (320, 320),
    (160, 160),
)
"""(width, height) a picture may be laid on: few shapes for a GPU, close to common photographs (4:3, 3:2, 16:9)."""

CANDIDATES: Final = 2000
"""Most boxes that enter suppression, best first: a picture of nothing but faces stays affordable."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """What a network sees on a canvas: boxes float32 [n, 4] x1 y1 x2 y2, scores [n], landmarks [n, 5, 2] or None."""

    boxes: Tensor
    scores: Tensor
    landmarks: Tensor | None

    def face(self, index: int) -> Face:
        """One of them."""
        x1, y1, x2, y2 = self.boxes[index].tolist()
        landmarks = None if self.landmarks is None else self.landmarks[index].astype(np.float32)
        return Face((x1, y1, x2, y2), float(self.scores[index]), landmarks)


class DetectionAdapter(ABC):
    """How one architecture's output reads. Pure: no session, no state."""

    def __init__(self, spec: ModelSpec) -> None:
        self.spec = spec

    @abstractmethod
    def decode(self, outputs: Mapping[str, Array], canvas: tuple[int, int], min_score: float) -> Candidates:
        """Everything at or above `min_score`, in pixels of the canvas (width, height), unsuppressed."""


class DetectionRunner:
    """Face detection on one model."""

    def __init__(self, adapter: DetectionAdapter, tag: str, core: Core) -> None:
        self.adapter = adapter
        self.tag = tag
        self._core = core

    def run(self, source: PixelSource, min_score: float, max_faces: int) -> Outcome[Face]:
        """Faces by falling score, boxes inside the picture, in pixels of the full-size picture."""
        size = self.adapter.spec.preprocessing.size
        canvas = choose_canvas(source.width, source.height, (size,) if size else CANVASES)
        fit = _fit(source.width, source.height, canvas)
        fitted = max(1, round(source.width * fit)), max(1, round(source.height * fit))
        image = letterbox(source.at(fit), fitted, canvas)
        outcome = self.find(image, min_score, max_faces)
        return Outcome(tuple(_in_picture(outcome.results, fit, source)), outcome.device)

    def find(self, board: Image, min_score: float, max_faces: int) -> Outcome[Face]:
        """Faces by falling score on a canvas (uint8 [h, w, 3], BGR), in its pixels; they may reach outside."""
        computed = self._core.run([to_nchw([board], self.adapter.spec.preprocessing)])
        candidates = self.adapter.decode(computed.outputs, (board.shape[1], board.shape[0]), min_score)
        kept = suppress(candidates, self.adapter.spec.nms_iou, max_faces)
        return Outcome(tuple(candidates.face(index) for index in kept), computed.device)

    def retire(self) -> None:
        """See `runners.base.Runner.retire`."""
        self._core.retire()


def choose_canvas(width: int, height: int, canvases: Sequence[tuple[int, int]] = CANVASES) -> tuple[int, int]:
    """(width, height) of the canvas on which the picture appears largest; of equals the smallest."""
    return max(canvases, key=lambda canvas: (round(_fit(width, height, canvas), 6), -canvas[0] * canvas[1]))


def _fit(width: int, height: int, canvas: tuple[int, int]) -> float:
    """Never enlarged: LFW's 150-pixel pictures, aligned by YuNet, give 99.3 % as they are, 98.0 % enlarged to 640.

    So too with the YOLOs, whose authors enlarge and centre on grey: on LFW's fold 0 yolov5n-0.5 gives 99.2 % here and
    98.2 % their way (8 of 807 pictures without a face), yolov8-lite-t 99.2 % and 66 %. Centred on grey without
    enlarging they give 99.3 % and 99.2 %: no difference.
    """
    return min(1.0, canvas[0] / width, canvas[1] / height)


def letterbox(image: Image, size: tuple[int, int], canvas: tuple[int, int]) -> Image:
    """Resize to `size` (width, height) and lay it into the upper left corner of a black canvas."""
    shrinks = image.shape[1] > 2 * size[0]
    board = np.zeros((canvas[1], canvas[0], 3), np.uint8)
    board[: size[1], : size[0]] = cv2.resize(image, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    return board


def suppress(candidates: Candidates, iou: float | None, most: int) -> list[int]:
    """Greedy non-maximum suppression: indices kept, best first, at most `most`; None: doubles stay, nonsense goes.

    OpenCV's. InsightFace's `SCRFD.nms` takes 2.3 times as long on the 29 candidates of a group picture, 3.8 times on
    1,000 (and comes with the extra `demo` alone).
    """
    order = np.argsort(-candidates.scores, kind="stable")[:CANDIDATES]
    corners, sides = candidates.boxes[order, :2], candidates.boxes[order, 2:] - candidates.boxes[order, :2]
    sound = np.isfinite(candidates.boxes[order]).all(axis=1) & (sides > 0).all(axis=1)
    order, boxes = order[sound], np.hstack([corners, sides])[sound].tolist()
    if iou is None or not len(order):
        return [int(index) for index in order[:most]]
    ranks = range(len(order), 0, -1)  # sorted already, and OpenCV drops a score of 0
    return [int(order[place]) for place in cv2.dnn.NMSBoxes(boxes, ranks, 0.0, iou)[:most]]


def _in_picture(faces: Sequence[Face], fit: float, source: PixelSource) -> Iterator[Face]:
    """From pixels of the canvas to pixels of the picture; boxes end at its edge."""
    for face in faces:
        x1, x2 = (min(max(x / fit, 0.0), float(source.width)) for x in face.box[::2])
        y1, y2 = (min(max(y / fit, 0.0), float(source.height)) for y in face.box[1::2])
        if x2 > x1 and y2 > y1:
            points = None if face.landmarks is None else face.landmarks / np.float32(fit)
            yield Face((x1, y1, x2, y2), face.score, points)
