"""Scenes to learn from."""

from __future__ import annotations

import numpy as np
import pytest

from training.detector.scenes import SIDE, SMALLEST, Stage
from training.detector.sources import Source

pytestmark = pytest.mark.unit

BOX = np.array([[40, 30, 110, 120]], np.float32)
POINTS = np.array([[[58, 62], [92, 62], [75, 82], [62, 100], [88, 100]]], np.float32)


@pytest.fixture
def stage() -> Stage:
    """One source: a grey picture whose face is red; one green background."""
    image = np.full((150, 150, 3), 128, np.uint8)
    image[30:120, 40:110] = (10, 10, 240)
    source = Source(image, BOX, POINTS, np.array([True]))
    return Stage([source], [np.full((400, 400, 3), (60, 130, 60), np.uint8)], 3)


def test_boxes_and_landmarks_lie_on_the_faces(stage: Stage) -> None:
    """Red under every landmark of a face large enough to be seen after all that happens to a scene."""
    red = []
    for number in range(60):
        scene = stage.scene(number)
        for box, points, known in zip(scene.boxes, scene.points, scene.known, strict=True):
            inside = np.all((points > 2) & (points < SIDE - 3), axis=1)
            if known and box[2] - box[0] > 40 and inside.all():
                colours = scene.image[points[:, 1].astype(int), points[:, 0].astype(int)].astype(int)
                red.extend((colours[:, 2] > colours[:, :2].max(axis=1) + 15).tolist())
    assert len(red) > 100
    assert np.mean(red) > 0.9  # the rest is under another picture, or in a grey scene


def test_what_is_hidden_or_tiny_is_not_learned(stage: Stage) -> None:
    """Known faces are in the scene by more than half, and no smaller than the smallest."""
    hidden = 0
    for number in range(60):
        scene = stage.scene(number)
        sides = scene.boxes[:, 2:] - scene.boxes[:, :2]
        seen = np.clip(scene.boxes[:, 2:], 0, SIDE) - np.clip(scene.boxes[:, :2], 0, SIDE)
        shares = np.prod(seen, axis=1) / np.prod(sides, axis=1)
        assert (shares[scene.known] > 0.5).all()
        assert (np.sqrt(np.prod(sides, axis=1))[scene.known] >= SMALLEST).all()
        hidden += int((~scene.known).sum())
    assert hidden


def test_a_number_is_a_scene(stage: Stage) -> None:
    """The same twice; some are empty."""
    assert np.array_equal(stage.scene(4).image, stage.scene(4).image)
    assert any(len(stage.scene(number).boxes) == 0 for number in range(40))


def test_mirrored_twice_is_the_same() -> None:
    """And once, the left eye is the right one."""
    source = Source(np.zeros((150, 150, 3), np.uint8), BOX, POINTS, np.array([True]))
    once = source.mirrored()
    assert once.points[0, 0].tolist() == [58, 62]
    assert np.array_equal(once.mirrored().points, POINTS)
    assert np.array_equal(once.mirrored().boxes, BOX)
