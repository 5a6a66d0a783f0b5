"""Accuracy on the evaluation data, through the pipeline. The figures themselves are in docs/benchmarks.md."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.bench import accuracy
from cli.bench.accuracy_table import DETECTORS, RECOGNISERS, pipeline_with
from cli.bench.references import AGE, MESONET, NUAA, SAMPLES, verdict
from cli.demo import sample
from facesocial.capabilities import Capability, Task
from models.library import Library

pytestmark = [pytest.mark.accuracy, pytest.mark.timeout(600)]


@pytest.mark.parametrize("detector", DETECTORS)
def test_every_face_of_the_group_picture(library: Library, detector: str) -> None:
    """Six of six, and nothing else."""
    report = pipeline_with(library, detector).detect(accuracy.open_picture(sample().read_bytes()), None, 100)
    assert len(report.faces) == 6


def test_lfw_in_short(library: Library, data: Path) -> None:
    """Every tenth pair (300)."""
    figures = accuracy.recognition(pipeline_with(library, "yunet_n_dynamic"), data, every=10)
    assert figures.accuracy.value >= 0.97
    assert figures.without_face == 0


@pytest.mark.load
@pytest.mark.parametrize(("detector", "least"), [("yunet_n_dynamic", 0.985), ("scrfd_2.5g", 0.99)])
def test_lfw(library: Library, data: Path, detector: str, least: float) -> None:
    """LFW folds 0–4, pictures as they are, aligned by the detector."""
    figures = accuracy.recognition(pipeline_with(library, detector), data)
    assert figures.accuracy.value >= least
    assert figures.without_face == 0
    if detector == "yunet_n_dynamic":
        threshold = library.resolve(Capability.RECOGNITION).spec.threshold
        assert threshold
        assert threshold.value == pytest.approx(figures.threshold.value, abs=0.002), "the catalogue's figure is stale"


def test_mesonet_set_in_short(library: Library, data: Path) -> None:
    """Every tenth crop (261)."""
    assert accuracy.deepfake(pipeline_with(library, "yunet_n_dynamic"), data, every=10).auc.value >= 0.94


@pytest.mark.load
def test_mesonet_set(library: Library, data: Path) -> None:
    """MesoNet's validation crops, given as the face."""
    figures = accuracy.deepfake(pipeline_with(library, "yunet_n_dynamic"), data)
    assert figures.auc.value >= 0.96
    threshold = library.resolve(Capability.DEEPFAKE).spec.threshold
    assert threshold
    assert threshold.value == pytest.approx(figures.threshold.value, abs=0.01), "the catalogue's figure is stale"


def test_utkface(library: Library, data: Path) -> None:
    """UTKFace's crops with a black border of half their side, found by YuNet."""
    figures = accuracy.demography(pipeline_with(library, "yunet_n_dynamic"), data)
    assert figures.age_mae.value <= 6.8
    assert figures.gender.value >= 0.89
    assert figures.without_face <= 3


def test_sample_pictures_of_silent_face(library: Library, data: Path) -> None:
    """The publisher's two attacks are refused, the live picture passes."""
    pipeline = pipeline_with(library, "yunet_n_dynamic")
    verdicts = {
        name: accuracy.liveness_of(pipeline, (data / "spoof" / f"image_{name}.jpg").read_bytes())
        for name in ("F1", "F2", "T1")
    }
    assert {name: verdict.live for name, verdict in verdicts.items()} == {"F1": False, "F2": False, "T1": True}


@pytest.mark.load
@pytest.mark.parametrize(
    ("detector", "least"), [("yolov8-lite-t", 0.98), ("yolov5n-0.5", 0.98), ("ultraface_rfb_320", 0.98)]
)
def test_lfw_with_the_other_detectors(library: Library, data: Path, detector: str, least: float) -> None:
    """Every eighth pair (375); UltraFace's faces are aligned by the mesh."""
    figures = accuracy.recognition(pipeline_with(library, detector), data, every=8)
    assert figures.accuracy.value >= least
    assert figures.without_face <= 2


def test_both_exports_of_one_recogniser_agree(library: Library, six_faces: Path) -> None:
    """mobilefacenet_hyeonjun is mobilefacenet_foamliu: cosine 1 to 1e-5."""
    first, second = (
        pipeline_with(library, "scrfd_2.5g", {Capability.RECOGNITION: name}).analyze(
            accuracy.open_picture(six_faces.read_bytes()), [Task.EMBED]
        )
        for name in RECOGNISERS
    )
    for one, other in zip(first.faces, second.faces, strict=True):
        assert one.results[Task.EMBED].vector @ other.results[Task.EMBED].vector == pytest.approx(1, abs=1e-5)


def test_nuaa(library: Library, data: Path) -> None:
    """antispoofing_bin_128 on crops given as the face: our interval meets .94 ± .03, and the threshold is current."""
    pipeline = pipeline_with(library, "yunet_n_dynamic", {Capability.LIVENESS: "antispoofing_bin_128"})
    figures = accuracy.liveness(pipeline, data)
    assert figures.auc.low <= 0.94 + 0.03
    assert figures.auc.high >= 0.94 - 0.03
    assert verdict(figures.auc, NUAA["antispoofing_bin_128"]) == "within"
    threshold = library.store.get("antispoofing_bin_128").spec.threshold
    assert threshold
    assert threshold.value == pytest.approx(figures.threshold.value, abs=0.01), "the catalogue's figure is stale"


@pytest.mark.parametrize("model", SAMPLES)
def test_sample_pictures_score_as_the_reference_says(library: Library, data: Path, model: str) -> None:
    """Within 0.1 with YuNet's boxes; the crop decides, and whose boxes the reference had is not known."""
    scores = accuracy.samples(pipeline_with(library, "yunet_n_dynamic", {Capability.LIVENESS: model}), data)
    assert scores == pytest.approx(SAMPLES[model], abs=0.1)


@pytest.mark.load
def test_meso4(library: Library, data: Path) -> None:
    """Within the interval of the reference."""
    pipeline = pipeline_with(library, "yunet_n_dynamic", {Capability.DEEPFAKE: "meso4_df"})
    assert verdict(accuracy.deepfake(pipeline, data).auc, MESONET["meso4_df"]) == "within"


@pytest.mark.load
def test_genderage_v1(library: Library, data: Path) -> None:
    """Aligned by SCRFD, as the reference: the age within, the gender below it (docs/benchmarks.md), and not lower."""
    pipeline = pipeline_with(library, "scrfd_2.5g", {Capability.DEMOGRAPHICS: "genderage_v1"})
    figures = accuracy.demography(pipeline, data)
    assert verdict(figures.age_mae, AGE["genderage_v1"], more_is_better=False) == "within"
    assert figures.gender.value >= 0.76
