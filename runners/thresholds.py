"""No decision without a threshold that says where it comes from."""

from __future__ import annotations

from facesocial.errors import ModelIntegrityError
from models.spec import ModelSpec


def threshold_of(spec: ModelSpec) -> float:
    """The model's decision threshold.

    Raises:
        ModelIntegrityError: the catalogue gives none, so its scores cannot be turned into an answer.
    """
    if spec.threshold is None:
        raise ModelIntegrityError(f"{spec.name} has no threshold in the catalogue")
    return spec.threshold.value
