"""Liveness, on persons it never saw."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cli.bench import datasets
from cli.bench.accuracy import samples, score
from cli.bench.metrics import auc, bootstrap, far_threshold
from facesocial.capabilities import Task
from training.judging.trial import Candidate, Figure, beside_teachers, share

APCER: Final = 0.1
"""Share of attacks that may pass at the threshold (ISO/IEC 30107-3 names it APCER; live ones refused, BPCER)."""


def figures(without: Mapping[int, Candidate], persons: NDArray[np.int64], final: Candidate, data: Path) -> list[Figure]:
    """Of the networks trained without each person, and of the one trained on all; `persons`: the one of each crop."""
    crops = list(datasets.nuaa(data))
    live = np.array([crop.positive for crop in crops])
    judges = {person: beside_teachers(model) for person, model in without.items()}
    scores = np.array(
        [score(judges[person], crop, Task.LIVENESS, 1.0) for crop, person in zip(crops, persons.tolist(), strict=True)]
    )
    area = bootstrap(lambda rows: auc(scores[rows], live[rows]), persons, 200)
    threshold = bootstrap(lambda rows: far_threshold(scores[rows][~live[rows]], APCER), persons, 200)
    refused = bootstrap(lambda rows: bpcer(scores[rows], live[rows]), persons, 200)
    print_, screen, present = samples(beside_teachers(final), data)
    return [
        Figure(
            f"AUC on NUAA, {len(crops)} crops, each by the network that never saw its person",
            str(area),
            "≥ 0.95",
            area.value >= 0.95,
        ),
        Figure(f"threshold at which {APCER:.0%} of the prints pass (APCER)", str(threshold)),
        Figure("live crops refused there (BPCER)", share(refused)),
        Figure(
            "P(live) of Silent-Face's F1 (print), F2 (screen), T1 (live)",
            f"{print_:.2f}, {screen:.2f}, {present:.2f}",
            "right at the threshold",
            max(print_, screen) < threshold.value <= present,
        ),
    ]


def bpcer(scores: NDArray[np.float64], live: NDArray[np.bool_]) -> float:
    """Share of the live ones that are refused where `APCER` of the others pass."""
    return float((scores[live] < far_threshold(scores[~live], APCER)).mean())
