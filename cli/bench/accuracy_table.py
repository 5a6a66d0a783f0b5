"""The tables of `facesocial bench accuracy`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

import cv2

from cli.bench import accuracy
from cli.bench.machine import Machine
from cli.bench.metrics import Estimate
from cli.bench.references import AGE, GENDER, LFW, MESONET, NUAA, SAMPLES, verdict
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

DETECTORS: Final = (
    "yunet_n_dynamic",
    "face_detection_yunet_2023mar",
    "scrfd_500m",
    "scrfd_2.5g",
    "yolov8-lite-t",
    "yolov5n-0.5",
    "ultraface_rfb_320",
)
RECOGNISERS: Final = ("mobilefacenet_foamliu", "mobilefacenet_hyeonjun")
LIVENESS: Final = (
    "minifasnet_fused",
    "minifasnet_v2_2.7_80x80",
    "minifasnet_v1se_4.0_80x80",
    "antispoofing_bin_128",
    "antispoofing_bin_1.5_128",
)
DEEPFAKE: Final = ("mesoinception_df", "meso4_df", "mesoinception_f2f")
DEMOGRAPHICS: Final = (
    ("faceapi_age_gender", "yunet_n_dynamic"),
    ("faceapi_age_gender", "scrfd_2.5g"),
    ("genderage_v1", "yunet_n_dynamic"),
    ("genderage_v1", "scrfd_2.5g"),
)
"""Model and detector; the references are from SCRFD's boxes and landmarks."""

ON_LFW = (
    "detector",
    "recogniser",
    "six faces",
    "LFW pictures without face",
    "LFW accuracy",
    "reference",
    "ours is",
    "threshold at FAR 1e-3",
    "TAR there",
)
BINARY = ("model", "data", "crops", "AUC", "reference", "ours is", "threshold at equal error", "right there")
SAMPLE = ("model", "F1, attack", "F2, attack", "T1, live", "reference")
DEMOGRAPHY = (
    "model",
    "detector",
    "faces",
    "age MAE, years",
    "reference",
    "ours is",
    "gender right",
    "reference",
    "ours is",
)

NOTES = """\
Through the pipeline; 95 % intervals in brackets, from resampling pairs (LFW accuracy, TAR), persons (LFW threshold),
videos or persons (deepfake, liveness) and faces (UTKFace). LFW: folds 0–4 of View 2, pictures as they are, the largest
face; FAR over every pair of different persons. UltraFace gives no landmarks: its faces are aligned by the mesh. The
references are measurements of the same weights by others, on the whole of the sets of which we have a part; ours is
`within` when it lies 0.3 points from theirs at most, or theirs in our interval. NUAA's and MesoNet's crops are given as
the face; NUAA's have no surroundings, which every liveness model but antispoofing_bin_128 wants."""


@dataclass(frozen=True, slots=True)
class With:
    """A library in which `chosen` serve, whatever the aliases say."""

    library: Library
    chosen: Mapping[Capability, InstalledModel]

    def resolve(self, capability: Capability) -> InstalledModel:
        """See `runners.library.Models`."""
        return self.chosen.get(capability) or self.library.resolve(capability)

    def generation(self) -> int:
        """See `runners.library.Models`."""
        return self.library.generation()


def markdown(library: Library, data: Path, machine: Machine, say: Callable[[str], None]) -> str:
    """The whole section. What is not installed is left out and named."""
    everything = {*DETECTORS, *RECOGNISERS, *LIVENESS, *DEEPFAKE, *(model for model, _ in DEMOGRAPHICS)}
    missing = sorted(everything - {model.spec.name for model in library.installed()})
    left_out = f"\n\nNot installed, so not measured: {', '.join(missing)}." if missing else ""
    say("LFW with each detector …")
    on_lfw = lfw_rows(library, data)
    say("deepfake and liveness …")
    binary = binary_rows(library, data)
    samples = sample_rows(library, data)
    say("age and gender …")
    demography = demography_rows(library, data)
    return "\n\n".join(
        (
            f"## Accuracy\n\n{NOTES}\n\n{machine}.{left_out}",
            table(ON_LFW, on_lfw),
            table(BINARY, binary),
            f"P(live) of the largest face of Silent-Face's sample pictures.\n\n{table(SAMPLE, samples)}",
            f"UTKFace with a black border.\n\n{table(DEMOGRAPHY, demography)}",
        )
    )


def pipeline_with(library: Library, detector: str, others: Mapping[Capability, str] = MappingProxyType({})) -> Pipeline:
    """A pipeline on the CPU with these models and, for the other capabilities, what serves.

    Raises:
        ModelNotInstalled: one of them is not installed.
    """
    cv2.setNumThreads(1)
    cpu = CpuSettings()
    names = {Capability.DETECTION: detector} | dict(others)
    models = With(library, {capability: library.store.get(name) for capability, name in names.items()})
    return Pipeline(RunnerLibrary(models, local_builder(CpuArbiter(), cpu)), cpu.requests)


def lfw_rows(library: Library, data: Path) -> list[Row]:
    """Each detector with the first recogniser, then each other recogniser with the first detector."""
    pairs = [(detector, RECOGNISERS[0]) for detector in DETECTORS]
    pairs += [(DETECTORS[0], recogniser) for recogniser in RECOGNISERS[1:]]
    rows: list[Row] = []
    for detector, recogniser in pairs:
        for pipeline in _installed(library, detector, {Capability.RECOGNITION: recogniser}):
            six = len(pipeline.detect(accuracy.open_picture(sample().read_bytes()), None, 100).faces)
            figures = accuracy.recognition(pipeline, data)
            reference = LFW.get(detector)
            rows.append(
                (
                    detector,
                    recogniser,
                    f"{six} of 6",
                    f"{figures.without_face} of {figures.pictures}",
                    _share(figures.accuracy),
                    _percent(reference),
                    verdict(figures.accuracy, reference),
                    str(figures.threshold),
                    _share(figures.tar),
                )
            )
    return rows


def binary_rows(library: Library, data: Path) -> list[Row]:
    """Every deepfake and every liveness model."""
    rows: list[Row] = []
    for capability, models, name, measure, references in (
        (Capability.DEEPFAKE, DEEPFAKE, "MesoNet validation set", accuracy.deepfake, MESONET),
        (Capability.LIVENESS, LIVENESS, "NUAA", accuracy.liveness, NUAA),
    ):
        for model in models:
            for pipeline in _installed(library, DETECTORS[0], {capability: model}):
                figures, reference = measure(pipeline, data), references.get(model)
                agreed = _figure(reference), verdict(figures.auc, reference)
                threshold, right = str(figures.threshold), _share(figures.accuracy)
                rows.append((model, name, str(figures.crops), str(figures.auc), *agreed, threshold, right))
    return rows


def sample_rows(library: Library, data: Path) -> list[Row]:
    """Every liveness model on whole pictures."""
    rows: list[Row] = []
    for model in LIVENESS:
        for pipeline in _installed(library, DETECTORS[0], {Capability.LIVENESS: model}):
            scores = [f"{score:.3f}" for score in accuracy.samples(pipeline, data)]
            rows.append((model, *scores, " ".join(f"{score:.3f}" for score in SAMPLES.get(model, ())) or "–"))
    return rows


def demography_rows(library: Library, data: Path) -> list[Row]:
    """Age and gender."""
    rows: list[Row] = []
    for model, detector in DEMOGRAPHICS:
        for pipeline in _installed(library, detector, {Capability.DEMOGRAPHICS: model}):
            figures = accuracy.demography(pipeline, data)
            age, gender = AGE.get(model), GENDER.get(model)
            rows.append(
                (
                    model,
                    detector,
                    f"{figures.faces} of {figures.faces + figures.without_face}",
                    str(figures.age_mae),
                    _figure(age),
                    verdict(figures.age_mae, age, more_is_better=False),
                    _share(figures.gender),
                    _percent(gender),
                    verdict(figures.gender, gender),
                )
            )
    return rows


def _installed(library: Library, detector: str, others: Mapping[Capability, str]) -> Iterator[Pipeline]:
    """The one pipeline with these models; none when one of them is not installed."""
    try:
        pipeline = pipeline_with(library, detector, others)
    except ModelNotInstalled:
        return
    yield pipeline
    pipeline.close()


def _share(estimate: Estimate) -> str:
    return f"{estimate.value:.1%} [{estimate.low:.1%}, {estimate.high:.1%}]"


def _percent(reference: float | None) -> str:
    return "–" if reference is None else f"{reference:.2%}"


def _figure(reference: float | None) -> str:
    return "–" if reference is None else f"{reference:.4g}"
