"""A trained network where the service would have it: behind its adapter, in the pipeline, beside the teachers."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from statistics import median
from typing import Final, TypeAlias

from cli.bench.calibration import Ensemble, pipeline
from cli.bench.measurement import measure
from cli.bench.metrics import Estimate
from facesocial.capabilities import Capability
from facesocial.configuration import CpuSettings
from models.catalogue import load_catalogue
from models.spec import STARTER, ModelSpec
from models.starter import starters
from models.store import InstalledModel
from runners.quantisation import Sample
from runners.sessions import OnnxModel
from services.pipeline.pipeline import Pipeline
from training.teachers import library
from vram_policy import Session

BLOCKS: Final = 20
RUNS: Final = 10


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of a model card. `bar` is what was asked for; `met` is None where nothing was."""

    name: str
    value: str
    bar: str = "–"
    met: bool | None = None


def spec_of(capability: Capability) -> ModelSpec:
    """The catalogue's entry of the starter model."""
    (spec,) = (spec for spec in load_catalogue().pack(STARTER) if spec.capability is capability)
    return spec


Candidate: TypeAlias = InstalledModel | None
"""A network on trial; None: its teacher, by the same protocol."""


def trained(capability: Capability, file: Path) -> InstalledModel:
    """A file that training left, `model.onnx`, as if it were in the model store."""
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    return InstalledModel(spec_of(capability), f"{spec_of(capability).name}:{digest[:12]}", file, digest)


@cache
def teachers() -> Ensemble:
    """The permissive pack."""
    catalogue = load_catalogue()
    found = {spec.capability: library().store.find(spec) for spec in catalogue.pack(catalogue.default_pack)}
    return {Capability(capability): model for capability, model in found.items() if model}


def beside_teachers(model: Candidate) -> Pipeline:
    """The pipeline of the service with this model in the place of its teacher."""
    return pipeline({**teachers(), Capability(model.spec.capability): model} if model else teachers())


def among_starters(model: Candidate) -> Pipeline:
    """The same behind the detector in the package: what a user without a pulled pack gets."""
    detector = starters(load_catalogue())[Capability.DETECTION]
    others = {**teachers(), Capability.DETECTION: detector}
    return pipeline({**others, Capability(model.spec.capability): model} if model else others)


def milliseconds(models: Sequence[InstalledModel], samples: Sequence[Sample]) -> list[list[float]]:
    """Medians of blocks in which the networks take turns, each on its own sample, with the service's sessions."""
    sessions = [OnnxModel(model, CpuSettings()).open("cpu") for model in models]
    turns = [partial(_run, session, sample) for session, sample in zip(sessions, samples, strict=True)]
    for turn in turns:
        measure(turn, RUNS)  # the first runs allocate
    taken: list[list[float]] = [[] for _ in turns]
    for _ in range(BLOCKS):
        for turn, spent in zip(turns, taken, strict=True):
            spent.append(median(measure(turn, RUNS).seconds) * 1000)
    return taken


def share(estimate: Estimate) -> str:
    """In per cent, with the interval."""
    return f"{estimate.value:.1%} [{estimate.low:.1%}, {estimate.high:.1%}]"


def _run(session: Session, sample: Sample) -> int:
    session.run(sample)
    return 1
