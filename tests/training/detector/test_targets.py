"""What a cell is asked to say is what the service reads from it."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch lives in .venv-training, which scripts/train makes")

from models.catalogue import load_catalogue  # noqa: E402
from runners.detection.starter import StarterDetector  # noqa: E402
from training.detector.targets import losses, targets  # noqa: E402

pytestmark = pytest.mark.unit

BOXES = np.array([[20, 30, 60, 80], [150, 100, 290, 280]], np.float32)
POINTS = np.stack([box[:2] + (box[2:] - box[:2]) * np.linspace(0.2, 0.8, 5)[:, None] for box in BOXES])


def test_a_network_that_says_its_targets_finds_the_faces() -> None:
    """Every cell that answers for a face gives that face's box and landmarks; the loss is nothing then."""
    kinds, values, weights = targets(BOXES, POINTS.astype(np.float32), np.array([True, True]), 320)
    output = np.concatenate([np.where(kinds[:, None] == 1, 9.0, -9.0), values], axis=1)[None].astype(np.float32)
    found = StarterDetector(load_catalogue().spec("starter_detector")).decode({"cells": output}, (320, 320), 0.5)
    assert found.landmarks is not None
    assert len(found.boxes) == (kinds == 1).sum() > 8
    for box, points in zip(found.boxes, found.landmarks, strict=True):
        near = int(np.abs(BOXES - box).sum(axis=1).argmin())
        np.testing.assert_allclose(box, BOXES[near], atol=1e-3)
        np.testing.assert_allclose(points, POINTS[near], atol=1e-3)
    parts = losses(*(torch.from_numpy(array) for array in (output, kinds[None], values[None], weights[None])))
    assert float(parts["box"]) == pytest.approx(0, abs=1e-5)
    assert float(parts["points"]) == pytest.approx(0, abs=1e-5)
    assert float(parts["score"]) < 0.01


def test_a_doubtful_face_teaches_nothing() -> None:
    kinds, _, weights = targets(BOXES, POINTS.astype(np.float32), np.array([False, True]), 320)
    centre = 55 // 8 * 40 + 40 // 8  # of the first box, on the finest level
    assert kinds[centre] == -1
    assert not weights[centre].any()
    assert (kinds == 1).any()


def test_the_finest_cells_about_a_landmark_say_where_it_is() -> None:
    """Also of a face for which coarse cells answer; an error counts in shares of the face."""
    kinds, values, weights = targets(BOXES[1:], POINTS[1:].astype(np.float32), np.array([True]), 320)
    (x, y), side = POINTS[1, 2], float(np.sqrt(np.prod(BOXES[1, 2:] - BOXES[1, :2])))
    column, row = int(x // 8), int(y // 8)
    cell = row * 40 + column
    assert kinds[cell] == 0, "a nose is no face"
    assert weights[cell].tolist() == pytest.approx([0, 0, 2 * 8 / side, 0, 0])
    assert values[cell, 8:10] * 8 + [(column + 0.5) * 8, (row + 0.5) * 8] == pytest.approx([x, y], abs=1e-3)


def test_a_face_holds_no_other() -> None:
    """Of the cells inside a large face the fine ones learn that there is none; those about its middle may doubt."""
    kinds, _, _ = targets(BOXES[1:], POINTS[1:].astype(np.float32), np.array([True]), 320)
    finest, middle, coarse = kinds[:1600], kinds[1600:2000], kinds[2000:]
    assert (finest == 0).all()
    assert {-1, 0} <= set(middle.tolist())
    assert (coarse == 1).sum() >= 4
