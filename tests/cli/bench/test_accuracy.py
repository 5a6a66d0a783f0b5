"""Accuracy on the evaluation data, through the pipeline. The figures themselves are in docs/benchmarks.md."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.bench import accuracy
from cli.bench.accuracy_table import pipeline_with
from cli.demo import sample
from facesocial.capabilities import Capability
from models.library import Library

pytestmark = [pytest.mark.accuracy, pytest.mark.timeout(600)]


@pytest.mark.parametrize("detector", ["yunet_n_dynamic", "scrfd_500m", "scrfd_2.5g"])
def test_every_face_of_the_group_picture(library: Library, detector: str) -> None:
    """Six of six, and nothing else."""
    report = pipeline_with(library, detector).detect(accuracy.open_picture(sample().read_bytes()), None, 100)
    assert len(report.faces) == 6


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
