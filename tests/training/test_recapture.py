"""A picture of a picture."""

from __future__ import annotations

import numpy as np
import pytest

from training.recapture import recapture

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("seed", range(12))
def test_the_box_is_where_the_face_is(seed: int) -> None:
    """A red face on grey, before a blue room: the middle of the box is redder than its room."""
    image = np.full((150, 150, 3), 128, np.uint8)
    image[40:110, 45:105] = (20, 20, 230)
    behind = np.full((320, 320, 3), (150, 60, 60), np.uint8)
    scene, (x1, y1, x2, y2) = recapture(image, (45, 40, 105, 110), behind, np.random.default_rng(seed))
    assert scene.shape == behind.shape
    assert 70 < y2 - y1 < 170
    middle = scene[round((y1 + y2) / 2), round((x1 + x2) / 2)].astype(int)
    assert middle[2] >= middle[0] + 30
    assert middle[2] >= middle[1] + 30
