"""UltraFace: one face written into the output by hand comes back where it was put."""

from __future__ import annotations

import numpy as np
import pytest

from models.catalogue import load_catalogue
from runners.detection.ultraface import UltraFace

pytestmark = pytest.mark.unit


def test_a_face_comes_back() -> None:
    """Fractions of a 320×240 canvas; class 1 is the face, and there are no landmarks."""
    scores, boxes = np.full((1, 4420, 2), [0.98, 0.02], np.float32), np.zeros((1, 4420, 4), np.float32)
    scores[0, 99], boxes[0, 99] = [0.1, 0.9], [0.25, 0.5, 0.5, 0.75]
    found = UltraFace(load_catalogue().spec("ultraface_rfb_320")).decode(
        {"boxes": boxes, "scores": scores}, (320, 240), 0.7
    )
    assert found.scores.tolist() == pytest.approx([0.9])
    assert found.boxes.tolist() == [[80, 120, 160, 180]]
    assert found.landmarks is None
