"""What the adapters of InsightFace have in common."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from facesocial.results import Demographics, Tensor
from runners.tensors import softmax


def of_logits(genders: Tensor, ages: NDArray[np.generic]) -> list[Demographics]:
    """Logits float32 [n, 2] of female and male, and n ages in years → n results."""
    females = softmax(genders)[:, 0].tolist()
    return [
        Demographics(float(age), "female" if female >= 0.5 else "male", max(female, 1 - female))
        for female, age in zip(females, ages.tolist(), strict=True)
    ]
