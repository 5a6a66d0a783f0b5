"""What others measured with the same weights, and whether our figure is theirs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from cli.bench.metrics import Estimate

TOLERANCE: Final = 0.003
"""0.3 percentage points."""

LFW: Final[Mapping[str, float]] = {"yunet_n_dynamic": 0.9882, "scrfd_2.5g": 0.9928, "yolov8-lite-t": 0.9903}
"""Detector → accuracy on all 6,000 pairs, 10 folds, embeddings of mobilefacenet_foamliu."""

NUAA: Final[Mapping[str, float]] = {"antispoofing_bin_128": 0.962}
"""AUC over 799 crops."""

MESONET: Final[Mapping[str, float]] = {"mesoinception_df": 0.977, "meso4_df": 0.969, "mesoinception_f2f": 0.554}
"""AUC over the whole validation set, 7,104 crops."""

AGE: Final[Mapping[str, float]] = {"faceapi_age_gender": 6.06, "genderage_v1": 7.74}
"""Mean absolute error in years over 496 faces of UTKFace."""

GENDER: Final[Mapping[str, float]] = {"faceapi_age_gender": 0.929, "genderage_v1": 0.833}
"""Share right over the same faces."""

SAMPLES: Final[Mapping[str, tuple[float, float, float]]] = {
    "minifasnet_fused": (0.292, 0.001, 1.0),
    "minifasnet_v2_2.7_80x80": (0.008, 0.001, 1.0),
    "minifasnet_v1se_4.0_80x80": (0.577, 0.002, 1.0),
    "antispoofing_bin_1.5_128": (0.001, 0.096, 1.0),
}
"""P(live) of Silent-Face's sample pictures F1 and F2 (attacks) and T1 (live)."""


def verdict(ours: Estimate, reference: float | None, more_is_better: bool = True) -> str:
    """`within` our interval or 0.3 points of the reference, else which side of it; `–` where there is none."""
    if reference is None:
        return "–"
    if abs(ours.value - reference) <= TOLERANCE or ours.low <= reference <= ours.high:
        return "within"
    return "better" if (ours.value > reference) == more_is_better else "WORSE"
