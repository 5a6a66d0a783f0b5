"""From a picture to a canvas and back; suppression."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runners.detection.base import CANDIDATES, CANVASES, Candidates, choose_canvas, letterbox, suppress

pytestmark = pytest.mark.unit

coordinates = st.floats(-1000, 1000, width=32)


@pytest.mark.parametrize(
    ("size", "canvas"),
    [
        ((4000, 3000), (640, 480)),
        ((3000, 4000), (480, 640)),
        ((1920, 1080), (640, 384)),
        ((1080, 1920), (384, 640)),
        ((3000, 2000), (640, 448)),
        ((1000, 1000), (640, 640)),
        ((150, 150), (160, 160)),
        ((300, 200), (320, 320)),
        ((12000, 16), (640, 384)),
    ],
)
def test_canvas(size: tuple[int, int], canvas: tuple[int, int]) -> None:
    """The smallest on which the picture is largest."""
    assert choose_canvas(*size) == canvas


def test_canvases_suit_every_stride() -> None:
    """Strides 8, 16 and 32 divide each side."""
    assert all(side % 32 == 0 for canvas in CANVASES for side in canvas)


def test_letterbox_lies_in_the_corner() -> None:
    """Upper left, black elsewhere."""
    board = letterbox(np.full((50, 100, 3), 9, np.uint8), (64, 32), (160, 160))
    assert board.shape == (160, 160, 3)
    assert (board[:32, :64] == 9).all()
    assert board.sum() == 9 * 3 * 32 * 64


def candidates(boxes: Sequence[Sequence[float]], scores: Sequence[float]) -> Candidates:
    """Without landmarks."""
    return Candidates(np.array(boxes, np.float32).reshape(-1, 4), np.array(scores, np.float32), None)


def test_doubles_are_suppressed_best_first() -> None:
    """Of two boxes that overlap, the better one stays."""
    found = candidates([[0, 0, 10, 10], [1, 1, 11, 11], [50, 50, 60, 60]], [0.8, 0.9, 0.7])
    assert suppress(found, 0.4, 100) == [1, 2]


def test_most_faces() -> None:
    """The caller's limit holds, best first."""
    found = candidates([[20 * i, 0, 20 * i + 10, 10] for i in range(50)], [i / 50 for i in range(50)])
    assert suppress(found, 0.4, 3) == [49, 48, 47]


def test_nonsense_boxes_are_dropped() -> None:
    """A network gone wrong yields no box with NaN, infinity or no area."""
    nan, inf = float("nan"), float("inf")
    boxes = [
        [nan, 0.0, 1.0, 1.0],
        [0.0, 0.0, inf, 1.0],
        [5.0, 5.0, 5.0, 9.0],
        [9.0, 9.0, 3.0, 3.0],
        [0.0, 0.0, 4.0, 4.0],
    ]
    assert suppress(candidates(boxes, [0.9] * 5), 0.4, 100) == [4]


def test_without_a_limit_doubles_stay_and_nonsense_goes() -> None:
    """A network that answers each face once is not suppressed; its best boxes are taken."""
    boxes = [[0.0, 0.0, 10.0, 10.0], [0.0, 0.0, 10.0, 11.0], [5.0, 5.0, 5.0, 9.0], [1.0, 1.0, 10.0, 10.0]]
    found = candidates(boxes, [0.7, 0.9, 0.95, 0.8])
    assert suppress(found, None, 100) == [1, 3, 0]
    assert suppress(found, None, 2) == [1, 3]


def test_nothing_found() -> None:
    """No candidates, no faces."""
    assert suppress(candidates([], []), 0.4, 100) == []


def test_a_flood_of_candidates_is_bounded() -> None:
    """Boxes beyond the best CANDIDATES are not looked at."""
    count = CANDIDATES + 500
    boxes = [[3 * i, 0, 3 * i + 2, 2] for i in range(count)]
    kept = suppress(candidates(boxes, np.linspace(0, 1, count).tolist()), 0.4, 10**6)
    assert len(kept) == CANDIDATES
    assert min(kept) == 500


@given(st.lists(st.tuples(coordinates, coordinates, coordinates, coordinates), max_size=30), st.floats(0.05, 0.95))
def test_what_is_kept_does_not_overlap(boxes: list[tuple[float, ...]], iou: float) -> None:
    """For any boxes: survivors pairwise at or under the limit, in order of score."""
    found = candidates([list(box) for box in boxes], np.linspace(1, 0, len(boxes)).tolist())
    kept = suppress(found, iou, 100)
    assert kept == sorted(kept)
    for place, first in enumerate(kept):
        for second in kept[place + 1 :]:
            a, b = found.boxes[first].astype(float), found.boxes[second].astype(float)
            inner = np.maximum(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0).prod()
            union = (a[2:] - a[:2]).prod() + (b[2:] - b[:2]).prod() - inner
            assert inner / union <= iou + 1e-3
