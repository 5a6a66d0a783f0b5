"""`python -m training MODEL`: see `scripts/train`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import torch
import typer

from training import deepfake as forgery
from training import demographics as traits
from training import embedder as embedding
from training import liveness as life
from training.backgrounds import LEARNED, backgrounds
from training.detector import train as detection
from training.detector.sources import sources
from training.portraits import portraits

WORK = Path(".cache/training")

app = typer.Typer(no_args_is_help=True, add_completion=False)
Data = Annotated[Path, typer.Option(envvar="FACESOCIAL_TEST_DATA", exists=True, file_okay=False)]


@app.callback()
def main(threads: int = 0) -> None:
    """Trains the starter models."""
    if threads:
        torch.set_num_threads(threads)


@app.command()
def embedder(data: Data, fold: int | None = None, crops: int = 160_000, steps: int = 8_000, work: Path = WORK) -> None:
    """The embedder, with a fold of LFW left out or on everything."""
    name = "embedder" if fold is None else f"embedder-without-{fold}"
    embedding.train(portraits(data, work), data, work / name, embedding.Plan(fold, crops, steps))


@app.command()
def detector(data: Data, steps: int = 8_000, work: Path = WORK) -> None:
    """The detector."""
    detection.train(data, work, work / "detector", steps)


@app.command()
def deepfake(data: Data, steps: int = 1_500, work: Path = WORK) -> None:
    """The deepfake detector: once for each fold left out, then on everything."""
    crops = forgery.Crops.of(data)
    folds = crops.folds()
    for fold in range(forgery.FOLDS):
        out = folds == fold
        forgery.train(crops.select(~out), work / f"deepfake-without-{fold}", steps, crops.select(out))
    forgery.train(crops, work / "deepfake", steps)


@app.command()
def demographics(data: Data, steps: int = 2_000, crops: int = 20_480, work: Path = WORK) -> None:
    """Age and gender, from the embedder's trunk: once for each fold left out, then on everything."""
    faces = portraits(data, work)
    known, teacher = traits.labelled(faces), traits.taught(faces, crops)
    folds = traits.folds(len(known.images))
    for fold in range(traits.FOLDS):
        trunk, out = embedding.Embedder.trained(work / "embedder"), folds == fold
        folder = work / f"demographics-without-{fold}"
        traits.train(trunk, known.select(~out), teacher, folder, steps, known.select(out))
    traits.train(embedding.Embedder.trained(work / "embedder"), known, teacher, work / "demographics", steps)


@app.command()
def liveness(data: Data, steps: int = 2_000, work: Path = WORK) -> None:
    """Liveness: once for each person left out, then on everybody."""
    attempts = life.Attempts.of(data)
    people = [source for source in sources(data, work) if not source.group.startswith("nuaa/")]
    rooms = backgrounds(LEARNED, work)
    for person in sorted(set(attempts.persons.tolist())):
        out = attempts.persons == person
        material = life.Material(attempts.select(~out), people, rooms)
        life.train(material, work / f"liveness-without-{person}", steps, attempts.select(out))
    life.train(life.Material(attempts, people, rooms), work / "liveness", steps)


if __name__ == "__main__":
    app()
