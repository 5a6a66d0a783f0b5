"""How much of two boxes is the same."""

from __future__ import annotations

import numpy as np

from facesocial.results import Face


def overlap(one: Face, other: Face) -> float:
    """Intersection over union."""
    both = common(one, other)
    return both / (one.area + other.area - both)


def common(one: Face, other: Face) -> float:
    """Pixels in both boxes."""
    low, high = np.maximum(one.box[:2], other.box[:2]), np.minimum(one.box[2:], other.box[2:])
    return float(np.prod(np.clip(high - low, 0, None)))
