"""InsightFace's first gender and age network (genderage_v1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from facesocial.results import Demographics
from models.spec import ModelSpec
from runners.base import FaceAdapter
from runners.crops import AlignedCrop
from runners.demographics.base import of_logits
from vram_policy.lease import Array


class InsightFaceV1(FaceAdapter[Demographics]):
    """Input [1, 3, 112, 112] aligned, RGB in 0…255; output [1, 202]: female, male, then 100 pairs no, yes.

    Pair i asks "older than i years?", so the age is how many say yes (deepinsight/insightface@afb6ff7c,
    `gender-age/face_model.py`).
    """

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__(spec)
        self.crops = (AlignedCrop(),)

    def post(self, outputs: Mapping[str, Array]) -> Sequence[Demographics]:
        """Ages are whole years, 0…100."""
        (rows,) = (np.asarray(output, np.float32) for output in outputs.values())
        ages = rows[:, 2:].reshape(-1, 100, 2).argmax(axis=2).sum(axis=1)
        return of_logits(rows[:, :2], ages)
