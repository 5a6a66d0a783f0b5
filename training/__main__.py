"""`python -m training MODEL`: see `scripts/train`."""

from __future__ import annotations

import hashlib
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Annotated

import numpy as np
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
from training.judging.card import shipped
from training.pictures import persons_of, photographs
from training.portraits import Portraits

WORK = Path(".cache/training")

app = typer.Typer(no_args_is_help=True, add_completion=False)
Data = Annotated[Path, typer.Option(envvar="FACESOCIAL_TEST_DATA", exists=True, file_okay=False)]
Fold = Annotated[int | None, typer.Option(help="of LFW, whose persons are left out; default: nobody is")]

Model = Annotated[str, typer.Argument(help=", ".join(card.COURSES))]


@app.callback()
def main(threads: int = 0) -> None:
    """Trains a starter model and leaves `model.onnx` in its folder under --work."""
    if threads:
        torch.set_num_threads(threads)


@app.command()
def embedder(data: Data, fold: Fold = None, crops: int = 131_072, steps: int = 8_000, work: Path = WORK) -> None:
    """The embedder; with a fold left out it is judged on it."""
    folder = _folder(work, "embedder", fold)
    faces = Portraits.of(photographs(data, work))
    network = embedding.train(faces, data, folder, embedding.Plan(fold, crops, steps))
    _leave(folder, export(network, {"image": (112, 112)}, ["embedding"]))


@app.command()
def detector(data: Data, fold: Fold = None, steps: int = 12_000, work: Path = WORK) -> None:
    """The detector."""
    folder = _folder(work, "detector", fold)
    left_out = frozenset() if fold is None else persons_of(data, fold)
    learned = (photograph for photograph in photographs(data, work) if photograph.group not in left_out)
    network = detection.train(learned, backgrounds(LEARNED, work), folder, steps)
    _leave(folder, export(network, {"image": (CANVAS, CANVAS)}, ["cells"], any_size=True))


@app.command()
def deepfake(data: Data, steps: int = 600, crops: int = 16_384, work: Path = WORK) -> None:
    """The deepfake detector: once for each fold left out, then on everything."""
    known = forgery.Crops.of(data)
    judges = persons_of(data, card.FOLD)  # swaps are made of them
    others = forgery.others(photograph for photograph in photographs(data, work) if photograph.group not in judges)
    taught = forgery.bank_of(known, others, crops, work / "deepfake" / "bank")
    folds = forgery.folds_of(known.groups, known.fake)
    for fold in (*range(forgery.FOLDS), None):
        out, folder = folds == fold, _folder(work, "deepfake", fold)
        bank = taught.select(~np.isin(taught.labels[:, forgery.VIDEO], known.numbers[out]))
        network = forgery.train(bank, folder, steps, known.select(out) if out.any() else None)
        _leave(folder, export(network, {"image": (forgery.SIDE, forgery.SIDE)}, ["fake"]))


@app.command()
def liveness(data: Data, steps: int = 600, crops: int = 16_384, work: Path = WORK) -> None:
    """Liveness: once for each person left out, then on everybody."""
    attempts, rooms = life.Attempts.of(data), backgrounds(LEARNED, work)
    wanted = (photograph for photograph in photographs(data, work) if life.shows_people(photograph))
    people = tuple(sources(group) for _, group in groupby(wanted, attrgetter("origin")))
    taught = life.bank_of(life.Material(attempts, people, rooms), crops, work / "liveness" / "bank")
    sizes = dict.fromkeys(("near", "wide"), (life.SIDE, life.SIDE))
    for person in (*range(len(attempts.people)), None):
        out, folder = attempts.numbers == person, _folder(work, "liveness", person)
        bank = taught.select(taught.labels[:, life.PERSON] != person)
        network = life.train(bank, folder, steps, attempts.select(out) if out.any() else None)
        _leave(folder, export(network, sizes, ["live"]))


@app.command()
def demographics(data: Data, steps: int = 800, crops: int = 20_480, work: Path = WORK) -> None:
    """Age and gender, from the embedder's trunk: once for each fold left out, then on everything."""
    faces, trained = Portraits.of(photographs(data, work)), shipped(work, "embedder")
    known, taught = traits.labelled(faces), traits.taught(faces, crops, work / "demographics" / f"bank-{traits.FOLDS}")
    folds = traits.folds(len(known.images))
    for fold in (*range(traits.FOLDS), None):
        out, folder = folds == fold, _folder(work, "demographics", fold)
        lessons = traits.Lessons(known.select(~out), taught.select(taught.labels[:, traits.FOLD] != fold))
        network = traits.train(trained, lessons, folder, steps, known.select(out) if out.any() else None)
        _leave(folder, export(traits.Answer(network), {"image": (traits.SIDE, traits.SIDE)}, ["years and female"]))


@app.command()
def judge(model: Model, data: Data, work: Path = WORK, write: bool = False) -> None:
    """The figures of a trained model as float32 and as int8, beside its teacher's; --write puts them into its card."""
    text = card.judge(card.COURSES[model], work, data)
    typer.echo(text)
    if write:
        typer.echo(card.write(card.COURSES[model], text), err=True)


@app.command()
def ship(model: Model, data: Data, int8: bool = False, work: Path = WORK) -> None:
    """Copies a trained model into the package and says what the catalogue has to say of it."""
    file = card.ship(card.COURSES[model], work, data, int8)
    typer.echo(f"{file}\nsha256: {hashlib.sha256(file.read_bytes()).hexdigest()}\nbytes: {file.stat().st_size}")


def _leave(folder: Path, content: bytes) -> None:
    (folder / card.MODEL).write_bytes(content)


def _folder(work: Path, model: str, left_out: int | None = None) -> Path:
    return work / (model if left_out is None else f"{model}-without-{left_out}")


if __name__ == "__main__":
    app()
