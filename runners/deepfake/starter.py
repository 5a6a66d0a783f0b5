"""Our own deepfake network (`training/deepfake.py`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from facesocial.results import Deepfake
from models.spec import ModelSpec
from runners.base import FaceAdapter
from runners.crops import SquareCrop
from runners.tensors import sigmoid
from runners.thresholds import threshold_of
from vram_policy.lease import Array

CROP: Final = SquareCrop(1.1, (128, 128))
"""MesoNet's crops, which it learned from, are 1.1 of YuNet's boxes."""


class StarterDeepfake(FaceAdapter[Deepfake]):
    """Input [n, 3, 128, 128], output [n, 1], the logit of P(fake)."""

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__(spec)
        self._threshold = threshold_of(spec)
        self.crops = (CROP,)

    def post(self, outputs: Mapping[str, Array]) -> Sequence[Deepfake]:
        """P(fake) of each face."""
        (logits,) = (np.asarray(output, np.float32) for output in outputs.values())
        scores = sigmoid(logits[:, 0]).tolist()
        return [Deepfake(score >= self._threshold, score, self._threshold) for score in scores]
