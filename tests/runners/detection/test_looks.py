"""A picture that is shown to the network at several sizes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from models.catalogue import load_catalogue
from runners.core import Computed
from runners.detection.base import Candidates, DetectionAdapter, DetectionRunner
from vram_policy.lease import Array

pytestmark = pytest.mark.unit

Seen = Mapping[int, Sequence[tuple[tuple[float, float, float, float], float]]]
"""Width of what is shown → boxes in its pixels, and their scores."""


class Eyes(DetectionAdapter):
    """Sees what the test says, with every landmark at the lower right corner."""

    looks = (1.0, 0.5)

    def __init__(self, seen: Seen) -> None:
        super().__init__(load_catalogue().spec("starter_detector"))
        self._seen = seen

    def decode(self, outputs: Mapping[str, Array], canvas: tuple[int, int], min_score: float) -> Candidates:
        found = [(box, score) for box, score in self._seen[canvas[0]] if score >= min_score]
        boxes = np.array([box for box, _ in found], np.float32).reshape(-1, 4)
        points = np.repeat(boxes[:, None, 2:], 5, axis=1)
        return Candidates(boxes, np.array([score for _, score in found], np.float32), points)


class Nothing:
    """Runs no network; remembers what it was shown."""

    def __init__(self) -> None:
        self.shown: list[tuple[int, ...]] = []

    def run(self, inputs: Sequence[Any]) -> Computed:
        self.shown.append(np.asarray(inputs[0]).shape)
        return Computed({}, "cpu")

    def retire(self) -> None: ...


def found(seen: Seen, most: int = 10) -> list[tuple[tuple[float, ...], float]]:
    core = Nothing()
    runner = DetectionRunner(Eyes(seen), "eyes:1", core)
    faces = runner.find(np.zeros((320, 320, 3), np.uint8), 0.5, most).results
    assert core.shown == [(1, 3, 320, 320), (1, 3, 160, 160)]
    for face in faces:
        assert face.landmarks is not None
        assert face.landmarks.tolist() == [list(face.box[2:])] * 5
    return [(face.box, round(face.score, 3)) for face in faces]


def test_what_the_first_look_misses_is_found_by_the_second_in_the_pixels_of_the_first() -> None:
    assert found({320: [], 160: [((10, 20, 110, 140), 0.9)]}) == [((20, 40, 220, 280), 0.9)]


def test_a_face_is_the_first_look_s_though_the_second_is_surer() -> None:
    """Its box and landmarks are the finer ones."""
    seen = {320: [((20, 40, 60, 90), 0.6)], 160: [((10, 21, 30, 45), 0.95), ((80, 80, 150, 150), 0.7)]}
    assert found(seen) == [((160, 160, 300, 300), 0.7), ((20, 40, 60, 90), 0.6)]
