"""Tries a model as float32 and as int8, and its teacher, and writes the figures into the model's card."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import median
from typing import Final, TypeAlias

import numpy as np
from rich.progress import track

from cli.bench.calibration import pictures, record
from cli.bench.machine import Machine
from cli.bench.measurement import quotient
from cli.bench.report import table, write_section
from facesocial.capabilities import Capability
from models.store import InstalledModel
from runners.quantisation import Sample, quantise
from training import deepfake as forgery
from training import demographics as traits
from training import liveness as life
from training.detector.views import settled
from training.judging import deepfake, demographics, detection, liveness, recognition
from training.judging.trial import Candidate, Figure, milliseconds, spec_of, teachers, trained
from training.pictures import Photograph, person_of, persons_of, photographs
from training.portraits import Portraits

MODEL: Final = "model.onnx"
FOLD: Final = 4
"""Of LFW: who is in it is left out of training for a judgement."""

SHARE: Final = 1 / 3
"""Of its teacher's time, that a network may take."""

Pick: TypeAlias = Callable[[Path], Candidate]
"""The network on trial in a folder that training left."""


@dataclass(frozen=True, slots=True)
class Course:
    """How a model is judged: its folder under `work`, and the figures of what a `Pick` finds there."""

    capability: Capability
    folder: str
    figures: Callable[[Pick, Path, Path], list[Figure]]


def judge(course: Course, work: Path, data: Path, fold: int | None = None) -> str:
    """The Markdown of the figures of float32, int8 and the teacher; the speed is that of the one without `fold`."""
    capability, picks = course.capability, _picks(course.capability, data)
    columns = [course.figures(pick, work, data) for pick in picks.values()]
    rows = [(line[0].name, line[0].bar, *map(_cell, line)) for line in zip(*columns, strict=True)]
    final = folder_of(work, course.folder, fold)
    models = [pick(final) or teachers()[capability] for pick in picks.values()]
    spent = milliseconds(models, [_sample(model, data) for model in models])
    rows.append(
        ("milliseconds for one, medians in turns", "–", *(f"{median(blocks):.2f}" for blocks in spent)),
    )
    shares = [
        Figure("", f"{share:.2f}", met=share <= SHARE) for share in (quotient(one, spent[-1]) for one in spent[:-1])
    ]
    rows.append(("share of the teacher's time", f"≤ {SHARE:.2f}", *map(_cell, shares), "1"))
    rows.append(("kB", "–", *(f"{model.path.stat().st_size / 1000:.0f}" for model in models)))
    *ours, teacher = picks
    names = *ours, f"{teacher}, {teachers()[capability].spec.name}"
    return f"{table(('figure', 'asked', *names), rows)}\n\n{Machine.here()}."


def _cell(figure: Figure) -> str:
    """With a cross where the bar was missed."""
    return f"{figure.value} ✗" if figure.met is False else figure.value


def write(course: Course, text: str) -> Path:
    """Into the card; gives its file."""
    card = _card(course)
    write_section(card, "figures", text)
    return card


def ship(course: Course, work: Path, data: Path, int8: bool, fold: int | None = None) -> Path:
    """Copies a network to where the package has it, and its curve beside its card."""
    folder = folder_of(work, course.folder, fold)
    model = _picks(course.capability, data)["int8" if int8 else "float32"](folder)
    (source,) = spec_of(course.capability).sources
    if model is None or source.packaged is None:
        raise ValueError("the catalogue names no file of the package")
    target = Path("models/weights") / source.packaged
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(model.path, target)
    shutil.copyfile(folder / "curve.jsonl", _card(course).with_suffix(".jsonl"))
    return target


def _card(course: Course) -> Path:
    return Path("docs/models") / f"{spec_of(course.capability).name}.md"


def folder_of(work: Path, name: str, left_out: int | None = None) -> Path:
    """Where a network is: the one trained on everything, or the one without a fold, a person, a video."""
    return work / (name if left_out is None else f"{name}-without-{left_out}")


def _picks(capability: Capability, data: Path) -> dict[str, Pick]:
    def float32(folder: Path) -> InstalledModel:
        return trained(capability, folder / MODEL)

    def int8(folder: Path) -> InstalledModel:
        target = folder / "int8" / MODEL
        if not target.exists() or target.stat().st_mtime < (folder / MODEL).stat().st_mtime:
            model = float32(folder)
            samples = record({**teachers(), capability: model}, capability, _unjudged(data))
            target.parent.mkdir(exist_ok=True)
            target.write_bytes(quantise(model.read(), samples, model.spec.architecture)[0])
        return trained(capability, target)

    return {"float32": float32, "int8": int8, "teacher": lambda _: None}


def _sample(model: InstalledModel, data: Path) -> Sample:
    """What the network sees of the largest of some pictures."""
    capability = Capability(model.spec.capability)
    seen = record({**teachers(), capability: model}, capability, pictures(data / "people"))
    return max(seen, key=lambda sample: sum(array.nbytes for array in sample))


def _unjudged(data: Path) -> list[Path]:
    """Pictures of LFW of persons nobody is judged on: int8's ranges come from them."""
    judges = persons_of(data, FOLD)
    return [file for file in pictures(data / "lfw" / "images") if person_of(file.name) not in judges]


def _left_out(work: Path, data: Path) -> Sequence[Photograph]:
    persons = persons_of(data, FOLD)
    return [photograph for photograph in photographs(data, work) if photograph.group in persons]


def _detection(pick: Pick, work: Path, data: Path) -> list[Figure]:
    return detection.figures(pick(folder_of(work, "detector", FOLD)), _left_out(work, data), _settled(work, data), work)


@cache
def _settled(work: Path, data: Path) -> list[Photograph]:
    """Those left out, see `views`."""
    return [settled(photograph) for photograph in track(_left_out(work, data), "settling landmarks")]


def _recognition(pick: Pick, work: Path, data: Path) -> list[Figure]:
    return recognition.figures(pick(folder_of(work, "embedder", FOLD)), data, FOLD)


def _liveness(pick: Pick, work: Path, data: Path) -> list[Figure]:
    persons = life.Attempts.of(data).numbers
    without = {person: pick(folder_of(work, "liveness", person)) for person in np.unique(persons).tolist()}
    return liveness.figures(without, persons, pick(work / "liveness"), data)


def _deepfake(pick: Pick, work: Path, data: Path) -> list[Figure]:
    without = [pick(folder_of(work, "deepfake", fold)) for fold in range(forgery.FOLDS)]
    strangers = [photograph for photograph in _left_out(work, data) if photograph.faces]
    return deepfake.figures(without, pick(work / "deepfake"), data, strangers)


def _demographics(pick: Pick, work: Path, data: Path) -> list[Figure]:
    faces = traits.of_utkface(Portraits.of(photographs(data, work)))
    folds = dict(zip(faces.names.tolist(), traits.folds(faces.groups).tolist(), strict=True))
    without = [pick(folder_of(work, "demographics", fold)) for fold in range(traits.FOLDS)]
    return demographics.figures(without, folds, data)


COURSES: Final = {
    course.folder: course
    for course in (
        Course(Capability.DETECTION, "detector", _detection),
        Course(Capability.RECOGNITION, "embedder", _recognition),
        Course(Capability.LIVENESS, "liveness", _liveness),
        Course(Capability.DEEPFAKE, "deepfake", _deepfake),
        Course(Capability.DEMOGRAPHICS, "demographics", _demographics),
    )
}
