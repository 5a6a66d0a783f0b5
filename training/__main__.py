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
from training.detector.scenes import SIDE as CANVAS
from training.detector.sources import sources
from training.export import export
from training.pictures import persons_of, photographs
from training.portraits import Portraits

WORK = Path(".cache/training")
MODEL = "model.onnx"

app = typer.Typer(no_args_is_help=True, add_completion=False)
Data = Annotated[Path, typer.Option(envvar="FACESOCIAL_TEST_DATA", exists=True, file_okay=False)]
Fold = Annotated[int | None, typer.Option(help="of LFW, whose persons are left out; default: nobody is")]


@app.callback()
def main(threads: int = 0) -> None:
    """Trains a starter model and leaves `model.onnx` in its folder under --work."""
    if threads:
        torch.set_num_threads(threads)


@app.command()
def embedder(data: Data, fold: Fold = None, crops: int = 65_536, steps: int = 4_000, work: Path = WORK) -> None:
    """The embedder; with a fold left out it is judged on it."""
    folder = _folder(work, "embedder", fold)
    faces = Portraits.of(photographs(data, work))
    network = embedding.train(faces, data, folder, embedding.Plan(fold, crops, steps))
    (folder / MODEL).write_bytes(export(network, {"image": (112, 112)}, ["embedding"]))


@app.command()
def detector(data: Data, fold: Fold = None, steps: int = 6_000, work: Path = WORK) -> None:
    """The detector."""
    folder = _folder(work, "detector", fold)
    left_out = frozenset() if fold is None else persons_of(data, fold)
    learned = (photograph for photograph in photographs(data, work) if photograph.group not in left_out)
    network = detection.train(learned, backgrounds(LEARNED, work), folder, steps)
    (folder / MODEL).write_bytes(export(network, {"image": (CANVAS, CANVAS)}, ["cells"], any_size=True))


@app.command()
def deepfake(data: Data, steps: int = 500, work: Path = WORK) -> None:
    """The deepfake detector: once for each fold left out, then on everything."""
    crops = forgery.Crops.of(data)
    folds = crops.folds()
    for fold in range(forgery.FOLDS):
        out = folds == fold
        forgery.train(crops.select(~out), _folder(work, "deepfake", fold), steps, crops.select(out))
    folder = _folder(work, "deepfake")
    network = forgery.train(crops, folder, steps)
    (folder / MODEL).write_bytes(export(network, {"image": (forgery.SIDE, forgery.SIDE)}, ["fake"]))


@app.command()
def liveness(data: Data, steps: int = 500, work: Path = WORK) -> None:
    """Liveness: once for each person left out, then on everybody."""
    attempts, rooms = life.Attempts.of(data), backgrounds(LEARNED, work)
    people = sources(photograph for photograph in photographs(data, work) if photograph.origin != "nuaa")
    for person in attempts.people:
        out = attempts.persons == person
        material = life.Material(attempts.select(~out), people, rooms)
        life.train(material, _folder(work, "liveness", person), steps, attempts.select(out))
    folder = _folder(work, "liveness")
    network = life.train(life.Material(attempts, people, rooms), folder, steps)
    sizes = dict.fromkeys(("near", "wide"), (life.SIDE, life.SIDE))
    (folder / MODEL).write_bytes(export(network, sizes, ["live"]))


@app.command()
def demographics(data: Data, steps: int = 300, crops: int = 20_480, work: Path = WORK) -> None:
    """Age and gender, from the embedder's trunk: once for each fold left out, then on everything."""
    faces, trained = Portraits.of(photographs(data, work)), _folder(work, "embedder")
    folder = _folder(work, "demographics")
    known, taught = traits.labelled(faces), traits.taught(faces, crops, folder / "bank")
    folds = traits.folds(len(known.images))
    for fold in range(traits.FOLDS):
        out = folds == fold
        lessons = traits.Lessons(known.select(~out), taught)
        traits.train(trained, lessons, _folder(work, "demographics", fold), steps, known.select(out))
    network = traits.train(trained, traits.Lessons(known, taught), folder, steps)
    (folder / MODEL).write_bytes(export(traits.Answer(network), {"image": (112, 112)}, ["years and female"]))


def _folder(work: Path, model: str, left_out: object = None) -> Path:
    return work / (model if left_out is None else f"{model}-without-{left_out}")


if __name__ == "__main__":
    app()
