"""Our own network for age and gender (`training/demographics.py`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from facesocial.results import Demographics
from models.spec import ModelSpec
from runners.base import FaceAdapter
from runners.crops import AlignedCrop
from vram_policy.lease import Array


class StarterDemographics(FaceAdapter[Demographics]):
    """Input [n, 3, 80, 80] aligned to the five-point template, output [n, 2]: years, P(female)."""

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__(spec)
        self.crops = (AlignedCrop(80),)

    def post(self, outputs: Mapping[str, Array]) -> Sequence[Demographics]:
        """Ages lie in 0…100 years."""
        (answers,) = (np.asarray(output, np.float32) for output in outputs.values())
        return [
            Demographics(years, "female" if female >= 0.5 else "male", max(female, 1 - female))
            for years, female in answers.tolist()
        ]
