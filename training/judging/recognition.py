"""The embedder, on the fold of LFW whose persons it never saw."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final

from cli.bench.accuracy import recognition_of
from cli.bench.datasets import lfw_pairs
from training.judging.trial import Candidate, Figure, among_starters, beside_teachers, share

BAR: Final = 0.965


def figures(model: Candidate, data: Path, fold: int) -> list[Figure]:
    """Of a network that was trained without the fold."""
    pairs = [pair for pair in lfw_pairs(data) if pair.fold == fold]
    tenths = [replace(pair, fold=number % 10) for number, pair in enumerate(pairs)]
    found, behind = (recognition_of(judge(model), data, tenths) for judge in (beside_teachers, among_starters))
    return [
        Figure(
            f"LFW fold {fold}, {len(pairs)} pairs, the threshold of each tenth from the others",
            share(found.accuracy),
            f"≥ {BAR:.1%}",
            found.accuracy.value >= BAR,
        ),
        Figure("the same behind the starter detector", share(behind.accuracy)),
        Figure("cosine at FAR 1e-3 over all pairs of strangers in it", str(found.threshold)),
        Figure("genuine pairs found there (TAR)", share(found.tar)),
    ]
