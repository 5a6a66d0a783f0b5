"""face-api.js age and gender."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from facesocial.results import Demographics
from models.spec import ModelSpec
from runners.base import FaceAdapter
from runners.crops import SquareCrop
from vram_policy.lease import Array


class FaceApi(FaceAdapter[Demographics]):
    """Input [n, 3, 112, 112] in 0…255, outputs `age` [n, 1] in years and P(male), P(female) [n, 2].

    The crop decides: on UTKFace the square about a box that was found without enlarging the picture gives 5.6 years MAE
    and 94 % gender, 1.08 times that 5.9 years; the same box without its top 15 % 5.7 years and 92 %.
    """

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__(spec)
        self.crops = (SquareCrop(1.0, (112, 112)),)

    def post(self, outputs: Mapping[str, Array]) -> Sequence[Demographics]:
        """Ages are clipped to 0…120 years."""
        ages = np.clip(np.asarray(outputs["age"], np.float32)[:, 0], 0, 120).tolist()
        males = np.asarray(outputs["gender_prob_male_female"], np.float32)[:, 0].tolist()
        return [
            Demographics(age, "male" if male >= 0.5 else "female", max(male, 1 - male))
            for age, male in zip(ages, males, strict=True)
        ]
