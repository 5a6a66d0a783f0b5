"""What each cell should say, and how wrong it is."""

from __future__ import annotations

from functools import cache
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from runners.detection.grid import STRIDES
from training.loop import Losses

REACH: Final = 1.5
"""A cell answers for a face when it lies this many strides from the middle of its box, or less, and inside."""

SPANS: Final = ((0.0, 56.0), (40.0, 128.0), (96.0, 1e9))
"""Sides of the boxes (geometric mean, pixels) each stride answers for. They overlap, so that no size is nobody's."""


DOUBTFUL: Final = 1.6
"""Cells up to so many times farther from the middle, and of strides for faces so much larger or smaller, may answer."""

CLEAR: Final = 48.0
"""From this side of a face on, in pixels, its landmarks count in full: nobody knows those of a tiny one exactly."""


@cache
def centres(side: int) -> NDArray[np.float32]:
    """float32 [cells, 3]: x and y of each cell's centre and its stride, on a canvas `side` pixels square."""
    rows = []
    for stride in STRIDES:
        steps = (np.arange(side // stride, dtype=np.float32) + 0.5) * stride
        x, y = np.meshgrid(steps, steps)
        rows.append(np.stack([x.ravel(), y.ravel(), np.full(x.size, stride, np.float32)], axis=1))
    return np.concatenate(rows)


def targets(
    boxes: NDArray[np.float32], points: NDArray[np.float32], known: NDArray[np.bool_], side: int
) -> tuple[NDArray[np.int8], NDArray[np.float32], NDArray[np.float32]]:
    """Of one picture.

    Cells of the finest stride near a landmark learn where it is too, whoever answers for the face: an exercise that
    the service does not read.

    Args:
        boxes: [n, 4].
        points: [n, 5, 2].
        known: [n], False for what may be a face: nothing is learned there.
        side: of the canvas.

    Returns:
        [cells] 1 a face, 0 none, −1 nothing to learn; [cells, 14] distances, where it is 1, and offsets in strides;
        [cells, 5] what a stride of error counts: in halves of the face's side, less for small faces; 0: not learned.
    """
    cells = centres(side)
    kinds = np.zeros(len(cells), np.int8)
    values, weights = np.zeros((len(cells), 14), np.float32), np.zeros((len(cells), 5), np.float32)
    sizes = np.sqrt(np.prod(boxes[:, 2:] - boxes[:, :2], axis=1))
    low, high = (np.array(bound, np.float32) for bound in zip(*SPANS, strict=True))
    level = np.searchsorted(STRIDES, cells[:, 2])
    for index in np.argsort(-sizes):  # the smaller of two faces, which lies in front, has the last word
        x1, y1, x2, y2 = boxes[index]
        inside = (cells[:, 0] > x1) & (cells[:, 0] < x2) & (cells[:, 1] > y1) & (cells[:, 1] < y2)
        if not known[index]:
            kinds[inside] = -1
            continue
        away = np.maximum(abs(cells[:, 0] - (x1 + x2) / 2), abs(cells[:, 1] - (y1 + y2) / 2)) / cells[:, 2]
        fitting = (sizes[index] >= low[level] / DOUBTFUL) & (sizes[index] < high[level] * DOUBTFUL)
        kinds[inside & fitting & (away <= REACH * DOUBTFUL)] = -1  # elsewhere a face holds no other: eyes are none
        gaps = points[index] - cells[:, None, :2]
        near = (level == 0)[:, None] & (abs(gaps).max(axis=2) <= REACH * STRIDES[0])
        chosen = inside & (away <= REACH) & (sizes[index] >= low[level]) & (sizes[index] < high[level])
        stride = cells[chosen, 2:]
        at = cells[chosen, :2]
        kinds[chosen] = 1
        values[chosen, :4] = np.concatenate([at - boxes[index, :2], boxes[index, 2:] - at], axis=1) / stride
        near |= chosen[:, None]
        values[:, 4:].reshape(-1, 5, 2)[near] = (gaps / cells[:, None, 2:])[near]
        share = min(1.0, sizes[index] / CLEAR)
        weights[near] = np.broadcast_to(2 * cells[:, 2:] / sizes[index] * share, weights.shape)[near]
    return kinds, values, weights


def losses(given: Tensor, kinds: Tensor, values: Tensor, weights: Tensor) -> Losses:
    """Quality focal loss on the score (its target is the overlap of the box given), GIoU, and landmarks.

    Sources: Li et al. 2020 (arXiv 2006.04388), Rezatofighi et al. 2019 (arXiv 1902.09630).
    """
    faces = kinds == 1
    count = faces.sum().clamp(min=1)
    boxes, wanted = given[faces][:, 1:5], values[faces][:, :4]
    overlap, giou = _overlaps(boxes, wanted)
    quality = torch.zeros_like(given[:, :, 0])
    quality[faces] = overlap.detach().clamp(0, 1)
    scores = given[:, :, 0]
    cross = nn.functional.binary_cross_entropy_with_logits(scores, quality, reduction="none")
    focal = cross * (scores.sigmoid() - quality).abs().pow(2)
    learned = weights > 0
    wrong = (given[:, :, 5:] - values[:, :, 4:]).unflatten(2, (5, 2))[learned] * weights[learned][:, None]
    points = nn.functional.smooth_l1_loss(wrong, torch.zeros_like(wrong), beta=0.02)
    return {
        "score": 2 * (focal * (kinds >= 0)).sum() / count,
        "box": 2 * (1 - giou).sum() / count,
        "points": 10 * points,
    }


def _overlaps(one: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
    """IoU and GIoU of boxes given as distances from one centre."""
    both = torch.minimum(one, other)
    around = torch.maximum(one, other)
    inner, outer, first, second = (
        (box[:, 0] + box[:, 2]) * (box[:, 1] + box[:, 3]) for box in (both, around, one, other)
    )
    union = first + second - inner
    overlap = inner / union
    return overlap, overlap - (outer - union) / outer
