"""Age and gender, on faces left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from cli.bench import datasets
from cli.bench.accuracy import Demography, demographics_of, demography_of
from services.pipeline.pipeline import Pipeline
from training.judging.trial import Candidate, Figure, among_starters, beside_teachers, share


def figures(without: Sequence[Candidate], folds: Mapping[str, int], data: Path) -> list[Figure]:
    """Of the networks trained without each fold; `folds` is the one of each picture of UTKFace, by file name."""
    names = [file.name for file in sorted((data / "utkface").iterdir())]

    def judged(judges: Sequence[Pipeline]) -> Demography:
        return demography_of(
            [
                (demographics_of(judges[folds.get(name, 0)], person), person)
                for name, person in zip(names, datasets.utkface(data), strict=True)
            ]
        )

    found, behind = (judged([judge(model) for model in without]) for judge in (beside_teachers, among_starters))
    return [
        Figure(
            f"mean absolute error in years, {found.faces} faces of UTKFace, each by the network that never saw it",
            str(found.age_mae),
            "≤ 8",
            found.age_mae.value <= 8,
        ),
        Figure("gender right", share(found.gender), "≥ 88 %", found.gender.value >= 0.88),
        Figure(
            f"the same behind the starter detector, {behind.faces} faces",
            f"{behind.age_mae} years, {share(behind.gender)}",
        ),
    ]
