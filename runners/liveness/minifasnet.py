"""MiniFASNet (Silent-Face-Anti-Spoofing): V2 and V1SE look at the face at two scales, their P(live) is averaged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from facesocial.results import Liveness
from models.spec import ModelSpec
from runners.base import FaceAdapter
from runners.crops import ShiftedCrop
from runners.tensors import softmax
from runners.thresholds import threshold_of
from vram_policy.lease import Array

LIVE = 1
"""Index of the class 'live' among (2-D attack, live, replay)."""


class MiniFasNet(FaceAdapter[Liveness]):
    """One input [n, 3, 80, 80] per branch, one output of logits [n, 3] per branch, in the same order."""

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__(spec)
        self._threshold = threshold_of(spec)
        self.crops = tuple(ShiftedCrop(branch.crop_scale, (80, 80)) for branch in spec.branches)

    def post(self, outputs: Mapping[str, Array]) -> Sequence[Liveness]:
        """The mean over branches of P(live)."""
        chances = [softmax(np.asarray(logits, np.float32))[:, LIVE] for logits in outputs.values()]
        scores = np.mean(chances, axis=0).tolist()
        return [Liveness(score >= self._threshold, score, self._threshold) for score in scores]
