"""An int8 variant against its float32 network: time in turns within one process, accuracy through the pipeline."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from typing import Final

import numpy as np

from cli.bench import accuracy
from cli.bench.calibration import Ensemble, pipeline
from cli.bench.int8_table import Figure, Merit, Times
from cli.bench.measurement import Block, Series, measure, quotient
from cli.demo import sample
from facesocial.capabilities import Capability
from facesocial.configuration import CpuSettings
from models.store import InstalledModel
from runners.quantisation import Sample
from runners.sessions import OnnxModel
from services.pipeline.pipeline import Pipeline
from vram_policy import Session
from vram_policy.lease import Array

BATCHES: Final = (1, 6)
BLOCKS: Final = 20
RUNS: Final = 10

LFW: Final = Merit("LFW accuracy", 0.002, relative=False)
SIX: Final = Merit("faces of six", 0, relative=False)
DEEPFAKE: Final = Merit("deepfake AUC")
LIVENESS: Final = Merit("liveness AUC")
AGE: Final = Merit("age MAE", rising=False)
GENDER: Final = Merit("gender right")

Merits = dict[Merit, float]


def times(before: InstalledModel, after: InstalledModel, samples: Sequence[Sample]) -> tuple[Times, ...]:
    """Both networks in blocks that take turns, with the service's session options; a detector one picture at a time."""
    sessions = [OnnxModel(model, CpuSettings()).open("cpu") for model in (before, after)]
    largest = sorted(samples, key=lambda item: -sum(array.nbytes for array in item))
    batches = (1,) if before.spec.capability is Capability.DETECTION or not before.spec.dynamic_batch else BATCHES
    return tuple(_race(sessions, batch, _batch(largest, batch)) for batch in batches)


def _race(sessions: Sequence[Session], batch: int, inputs: Sequence[Array]) -> Times:
    turns = [partial(_run, session, inputs) for session in sessions]
    taken: list[list[Block]] = [[] for _ in turns]
    for turn in turns:
        measure(turn, RUNS)  # the first runs allocate
    for _ in range(BLOCKS):
        for turn, blocks in zip(turns, taken, strict=True):
            blocks.append(measure(turn, RUNS))
    slow, fast = (Series(tuple(blocks)) for blocks in taken)
    return Times(batch, slow.percentile(50), fast.percentile(50), quotient(slow.medians, fast.medians))


def _run(session: Session, inputs: Sequence[Array]) -> int:
    session.run(inputs)
    return len(inputs[0])


def _batch(samples: Sequence[Sample], batch: int) -> list[Array]:
    return [np.concatenate(column) for column in zip(*islice(cycle(samples), batch), strict=True)]


class Judge:
    """Figures of merit on the evaluation data; those of an ensemble met before are remembered."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._known: dict[tuple[Callable[..., Merits], tuple[str, ...]], Merits] = {}

    def compare(self, capability: Capability, before: Ensemble, after: Ensemble) -> tuple[Figure, ...]:
        """The figures of this capability, with two ensembles that differ in its model alone."""
        figures = [self._figures(capability, models) for models in (before, after)]
        return tuple(Figure(merit, value, figures[1][merit]) for merit, value in figures[0].items())

    def _figures(self, capability: Capability, models: Ensemble) -> Merits:
        found: Merits = {}
        for measured in MEASURES[capability]:
            key = measured, tuple(model.tag for model in models.values())
            if key not in self._known:
                judged = pipeline(models)
                self._known[key] = measured(judged, self._data)
                judged.close()
            found |= self._known[key]
        return found


def _lfw(judged: Pipeline, data: Path) -> Merits:
    return {LFW: accuracy.recognition(judged, data).accuracy.value}


def _six(judged: Pipeline, _: Path) -> Merits:
    found = judged.detect(accuracy.open_picture(sample().read_bytes()), None, 100).faces
    return {SIX: float(6 - abs(6 - len(found)))}  # a seventh is as wrong as a missing one


def _deepfake(judged: Pipeline, data: Path) -> Merits:
    return {DEEPFAKE: accuracy.deepfake(judged, data).auc.value}


def _liveness(judged: Pipeline, data: Path) -> Merits:
    return {LIVENESS: accuracy.liveness(judged, data).auc.value}


def _demography(judged: Pipeline, data: Path) -> Merits:
    figures = accuracy.demography(judged, data)
    return {AGE: figures.age_mae.value, GENDER: figures.gender.value}


MEASURES: Final[dict[Capability, tuple[Callable[[Pipeline, Path], Merits], ...]]] = {
    Capability.DETECTION: (_lfw, _six),
    Capability.RECOGNITION: (_lfw,),
    Capability.DEEPFAKE: (_deepfake,),
    Capability.LIVENESS: (_liveness,),
    Capability.DEMOGRAPHICS: (_demography,),
}
