"""hairymax/Face-AntiSpoofing, binary: one square crop, live or not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from facesocial.results import Liveness
from models.spec import ModelSpec
from runners.base import FaceAdapter
from runners.crops import SquareCrop
from runners.tensors import softmax
from runners.thresholds import threshold_of
from vram_policy.lease import Array

LIVE = 0
"""Index of the class 'live'; 1 is every kind of attack."""


class Hairymax(FaceAdapter[Liveness]):
    """Input [1, 3, 128, 128] RGB in 0…1, output logits [1, 2].

    The crop is a square of `crop_scale` times the longer side of the face box, black outside the picture.
    """

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__(spec)
        self._threshold = threshold_of(spec)
        self.crops = tuple(SquareCrop(branch.crop_scale, (128, 128)) for branch in spec.branches)

    def post(self, outputs: Mapping[str, Array]) -> Sequence[Liveness]:
        """P(live) of each face."""
        (logits,) = (np.asarray(output, np.float32) for output in outputs.values())
        scores = softmax(logits)[:, LIVE].tolist()
        return [Liveness(score >= self._threshold, score, self._threshold) for score in scores]
