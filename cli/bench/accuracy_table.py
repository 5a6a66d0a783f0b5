"""The tables of `facesocial bench accuracy`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2

from cli.bench import accuracy
from cli.bench.machine import Machine
from cli.bench.metrics import Estimate
from cli.bench.report import table
from cli.demo import sample
from facesocial.capabilities import Capability
from facesocial.configuration import CpuSettings
from facesocial.errors import ModelNotInstalled
from models.library import Library
from models.store import InstalledModel
from runners.library import RunnerLibrary, local_builder
from services.pipeline.pipeline import Pipeline
from vram_policy import CpuArbiter

Row = tuple[str, ...]
DETECTORS = ("yunet_n_dynamic", "scrfd_500m", "scrfd_2.5g")
RECOGNITION = (
    "detector",
    "six faces",
    "LFW pictures without face",
    "LFW accuracy",
    "threshold at FAR 1e-3",
    "TAR there",
)
BINARY = ("model", "data", "crops", "AUC", "threshold at equal error", "right there")
DEMOGRAPHY = ("model", "data", "faces", "age MAE, years", "gender right")


NOTES = """\
Through the pipeline; 95 % intervals in brackets, from resampling pairs (LFW accuracy, TAR), persons (LFW threshold),
videos or persons (deepfake, liveness) and faces (UTKFace). LFW: folds 0–4 of View 2, pictures as they are, the largest
face, embeddings of mobilefacenet_foamliu; FAR over every pair of different persons."""


@dataclass(frozen=True, slots=True)
class With:
    """A library in which one detector serves, whatever the aliases say."""

    library: Library
    detector: InstalledModel

    def resolve(self, capability: Capability) -> InstalledModel:
        """See `runners.library.Models`."""
        return self.detector if capability is Capability.DETECTION else self.library.resolve(capability)

    def generation(self) -> int:
        """See `runners.library.Models`."""
        return self.library.generation()


def markdown(library: Library, data: Path, machine: Machine, say: Callable[[str], None]) -> str:
    """The whole section. Detectors that are not installed are left out."""
    say("LFW with each detector …")
    recognition = recognition_rows(library, DETECTORS, data)
    pipeline = pipeline_with(library, "yunet_n_dynamic")
    say("deepfake and liveness …")
    binary = binary_rows(library, pipeline, data)
    say("age and gender …")
    demography = demography_rows(library, pipeline, data)
    return "\n\n".join(
        (
            f"## Accuracy\n\n{NOTES}\n\n{machine}.",
            table(RECOGNITION, recognition),
            table(BINARY, binary),
            table(DEMOGRAPHY, demography),
        )
    )


def pipeline_with(library: Library, detector: str) -> Pipeline:
    """A pipeline on the CPU with this detector and what else serves.

    Raises:
        ModelNotInstalled: the detector is not installed.
    """
    cv2.setNumThreads(1)
    cpu = CpuSettings()
    return Pipeline(
        RunnerLibrary(With(library, library.store.get(detector)), local_builder(CpuArbiter(), cpu)), cpu.requests
    )


def recognition_rows(library: Library, detectors: tuple[str, ...], data: Path) -> list[Row]:
    """A row per detector that is installed."""
    rows: list[Row] = []
    for detector in detectors:
        try:
            pipeline = pipeline_with(library, detector)
        except ModelNotInstalled:
            continue
        six = len(pipeline.detect(accuracy.open_picture(sample().read_bytes()), None, 100).faces)
        figures = accuracy.recognition(pipeline, data)
        missed = f"{figures.without_face} of {figures.pictures}"
        rows.append(
            (detector, f"{six} of 6", missed, _share(figures.accuracy), str(figures.threshold), _share(figures.tar))
        )
    return rows


def binary_rows(library: Library, pipeline: Pipeline, data: Path) -> list[Row]:
    """Deepfake and liveness."""
    rows: list[Row] = []
    for capability, name, measure in (
        (Capability.DEEPFAKE, "MesoNet validation set, given as the face", accuracy.deepfake),
        (Capability.LIVENESS, "NUAA, given as the face", accuracy.liveness),
    ):
        figures = measure(pipeline, data)
        model = library.resolve(capability).spec.name
        rows.append(
            (model, name, str(figures.crops), str(figures.auc), str(figures.threshold), _share(figures.accuracy))
        )
    return rows


def demography_rows(library: Library, pipeline: Pipeline, data: Path) -> list[Row]:
    """Age and gender."""
    figures = accuracy.demography(pipeline, data)
    model = library.resolve(Capability.DEMOGRAPHICS).spec.name
    of = f"{figures.faces} of {figures.faces + figures.without_face}"
    return [(model, "UTKFace, black border", of, str(figures.age_mae), _share(figures.gender))]


def _share(estimate: Estimate) -> str:
    return f"{estimate.value:.1%} [{estimate.low:.1%}, {estimate.high:.1%}]"
