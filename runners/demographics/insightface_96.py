"""InsightFace's gender and age network of the buffalo and antelope packs (genderage)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from facesocial.results import Demographics
from models.spec import ModelSpec
from runners.base import FaceAdapter
from runners.crops import SquareCrop
from runners.demographics.base import of_logits
from vram_policy.lease import Array


class InsightFace96(FaceAdapter[Demographics]):
    """Input [n, 3, 96, 96] RGB in 0…255, output [n, 3]: female, male (logits), age / 100 years.

    The crop is a square of 1.5 times the longer side of the box (InsightFace, `model_zoo/attribute.py`; its `transform`
    takes 1.7 times as long).
    """

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__(spec)
        self.crops = (SquareCrop(1.5, (96, 96)),)

    def post(self, outputs: Mapping[str, Array]) -> Sequence[Demographics]:
        """Ages are clipped to 0…120 years."""
        (rows,) = (np.asarray(output, np.float32) for output in outputs.values())
        return of_logits(rows[:, :2], np.clip(rows[:, 2] * 100, 0, 120))
