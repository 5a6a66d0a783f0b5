"""`python -m training MODEL`: see `scripts/train`."""

from __future__ import annotations

import hashlib
from enum import StrEnum
from itertools import groupby
from operator import attrgetter
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
from training.detector.scenes import SIDE as CANVAS
from training.detector.sources import sources
from training.export import export
from training.judging import card
from training.judging.card import folder_of
from training.pictures import persons_of, photographs
from training.portraits import Portraits

WORK = Path(".cache/training")


class Model(StrEnum):
    """The five; see `card.COURSES`."""

    EMBEDDER = "embedder"
    DETECTOR = "detector"
    DEEPFAKE = "deepfake"
    LIVENESS = "liveness"
    DEMOGRAPHICS = "demographics"


app = typer.Typer(no_args_is_help=True, add_completion=False)
Data = Annotated[
    Path, typer.Option(envvar="FACESOCIAL_TEST_DATA", exists=True, file_okay=False, help="see docs/training.md")
]
Fold = Annotated[int | None, typer.Option(help="of LFW, whose persons are left out; default: nobody is")]

Write = Annotated[bool, typer.Option("--write", help="into docs/models/")]
Int8 = Annotated[bool, typer.Option("--int8", help="instead of float32")]
Steps = Annotated[int, typer.Option(help="batches to learn from")]
Crops = Annotated[int, typer.Option(help="made once and kept, in files of 4096")]
Work = Annotated[Path, typer.Option(help="for faces, banks, checkpoints, curves and results; 20 GB")]


@app.callback()
def main(threads: Annotated[int, typer.Option(help="of PyTorch; 0: every core")] = 0) -> None:
    """Trains a starter model and leaves `model.onnx` in its folder under --work."""
    if threads:
        torch.set_num_threads(threads)


@app.command()
def embedder(data: Data, fold: Fold = None, crops: Crops = 131_072, steps: Steps = 7_000, work: Work = WORK) -> None:
    """The embedder; with a fold left out it is judged on it."""
    folder = folder_of(work, "embedder", fold)
    faces = Portraits.of(photographs(data, work))
    network = embedding.train(faces, data, folder, embedding.Plan(fold, crops, steps))
    _leave(folder, export(network, {"image": (112, 112)}, ["embedding"]))


@app.command()
def detector(data: Data, fold: Fold = None, steps: Steps = 7_000, work: Work = WORK) -> None:
    """The detector."""
    folder = folder_of(work, "detector", fold)
    left_out = frozenset() if fold is None else persons_of(data, fold)
    learned = (photograph for photograph in photographs(data, work) if photograph.group not in left_out)
    network = detection.train(learned, backgrounds(LEARNED, work), folder, steps)
    _leave(folder, export(network, {"image": (CANVAS, CANVAS)}, ["cells"], any_size=True))


@app.command()
def deepfake(data: Data, steps: Steps = 600, crops: Crops = 16_384, work: Work = WORK) -> None:
    """The deepfake detector: once for each fold left out, then on everything."""
    known = forgery.Crops.of(data)
    judges = persons_of(data, card.FOLD)  # swaps are made of them
    others = forgery.others(photograph for photograph in photographs(data, work) if photograph.group not in judges)
    taught = forgery.bank_of(known, others, crops, work / "deepfake" / "bank")
    for out in (*range(forgery.FOLDS), None):
        folder = folder_of(work, "deepfake", out)
        network = forgery.train(*forgery.split(known, taught, out), folder, steps)
        _leave(folder, export(network, {"image": (forgery.SIDE, forgery.SIDE)}, ["fake"]))


@app.command()
def liveness(data: Data, steps: Steps = 600, crops: Crops = 16_384, work: Work = WORK) -> None:
    """Liveness: once for each person left out, then on everybody."""
    attempts, rooms = life.Attempts.of(data), backgrounds(LEARNED, work)
    wanted = (photograph for photograph in photographs(data, work) if life.shows_people(photograph))
    people = tuple(sources(group) for _, group in groupby(wanted, attrgetter("origin")))
    taught = life.bank_of(life.Material(attempts, people, rooms), crops, work / "liveness" / "bank")
    sizes = dict.fromkeys(("near", "wide"), (life.SIDE, life.SIDE))
    for out in (*range(len(attempts.people)), None):
        folder = folder_of(work, "liveness", out)
        network = life.train(*life.split(attempts, taught, out), folder, steps)
        _leave(folder, export(network, sizes, ["live"]))


@app.command()
def demographics(data: Data, steps: Steps = 800, crops: Crops = 20_480, work: Work = WORK) -> None:
    """Age and gender, from the packaged embedder's trunk: once for each fold left out, then on everything."""
    faces = Portraits.of(photographs(data, work))
    known, taught = traits.labelled(faces), traits.taught(faces, crops, work / "demographics" / f"bank-{traits.FOLDS}")
    for out in (*range(traits.FOLDS), None):
        folder = folder_of(work, "demographics", out)
        network = traits.train(*traits.split(known, taught, out), folder, steps)
        _leave(folder, export(traits.Answer(network), {"image": (traits.SIDE, traits.SIDE)}, ["years and female"]))


@app.command()
def judge(
    model: Model,
    data: Data,
    fold: Fold = None,
    work: Work = WORK,
    write: Write = False,
) -> None:
    """The figures of a trained model as float32 and as int8, beside its teacher's; --write puts them into its card."""
    text = card.judge(card.COURSES[model], work, data, fold)
    typer.echo(text)
    if write:
        typer.echo(card.write(card.COURSES[model], text), err=True)


@app.command()
def ship(
    model: Model,
    data: Data,
    int8: Int8 = False,
    fold: Fold = None,
    work: Work = WORK,
) -> None:
    """Copies a trained model into the package and says what the catalogue has to say of it."""
    file = card.ship(card.COURSES[model], work, data, int8, fold)
    typer.echo(f"{file}\nsha256: {hashlib.sha256(file.read_bytes()).hexdigest()}\nbytes: {file.stat().st_size}")


def _leave(folder: Path, content: bytes) -> None:
    (folder / card.MODEL).write_bytes(content)


if __name__ == "__main__":
    app()
