"""Our own liveness network (`training/liveness.py`): the skin from near, the surroundings from farther away."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from facesocial.results import Liveness
from models.spec import ModelSpec
from runners.base import FaceAdapter
from runners.crops import ShiftedCrop
from runners.tensors import sigmoid
from runners.thresholds import threshold_of
from vram_policy.lease import Array


class StarterLiveness(FaceAdapter[Liveness]):
    """An input [n, 3, 80, 80] per branch, near then wide; output [n, 1], the logit of P(live)."""

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__(spec)
        self._threshold = threshold_of(spec)
        self.crops = tuple(ShiftedCrop(branch.crop_scale, (80, 80)) for branch in spec.branches)

    def post(self, outputs: Mapping[str, Array]) -> Sequence[Liveness]:
        """P(live) of each face."""
        (logits,) = (np.asarray(output, np.float32) for output in outputs.values())
        scores = sigmoid(logits[:, 0]).tolist()
        return [Liveness(score >= self._threshold, score, self._threshold) for score in scores]
