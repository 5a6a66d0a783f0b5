"""The demo, as a user runs it: weights, service, picture, answer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import psutil
import pytest

from models.library import Library
from tests.pictures import of_the_six

pytestmark = pytest.mark.integration


def demo(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run it in a folder."""
    return subprocess.run(
        [str(Path(sys.executable).parent / "facesocial"), "demo", *arguments],
        cwd=folder,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


def test_json_is_the_answer_alone(library: Library, six_faces: Path, tmp_path: Path) -> None:
    """Six faces with all five answers on stdout, an annotated picture in the folder, no process left behind."""
    run = demo(tmp_path, "--json", DEMO_OF_TEST=str(tmp_path))
    assert run.returncode == 0, run.stderr
    answer = json.loads(run.stdout)
    assert len(answer["faces"]) == 6
    for face in answer["faces"]:
        assert len(face["embedding"]["vector"]) == 128
        assert {"live", "score", "threshold"} == set(face["liveness"])
        assert {"fake", "score", "threshold"} == set(face["deepfake"])
        assert 0 < face["age"] < 100
        assert face["gender"]["label"] in ("female", "male")
    annotated = cv2.imread(str(tmp_path / "facesocial-demo.jpg"))
    original = cv2.imread(str(six_faces))
    assert annotated is not None
    assert original is not None
    assert annotated.shape == original.shape
    assert (cv2.absdiff(annotated, original).max(axis=2) > 100).mean() > 0.002, "nothing is drawn"
    left = [process for process in psutil.process_iter(["environ"]) if process.info["environ"]]
    assert not [process for process in left if process.info["environ"].get("DEMO_OF_TEST") == str(tmp_path)]


def test_table_for_people(library: Library, data: Path, tmp_path: Path) -> None:
    """A picture of one's own; every score stands beside its threshold, and what the models are bad at below."""
    run = demo(tmp_path, str(data / "people" / "test_obama_and_biden.jpg"))
    assert run.returncode == 0, run.stderr
    for words in ("face", "live", "fake", "age", "gender", "≥", "face-deepfake (mesoinception_df:"):
        assert words in run.stdout


@pytest.fixture
def nowhere(tmp_path: Path) -> dict[str, str]:
    """An empty model store, and a mirror that has nothing."""
    (tmp_path / "mirror").mkdir()
    return {"BENTOML_HOME": str(tmp_path / "home"), "FACESOCIAL_MODEL_MIRROR": str(tmp_path / "mirror")}


def test_where_no_host_has_anything_the_starter_models_answer(tmp_path: Path, nowhere: dict[str, str]) -> None:
    """Six faces, five answers, and the terms of the weights: on stderr, and in each caveat."""
    run = demo(tmp_path, "--json", **nowhere)
    assert run.returncode == 0, run.stderr
    answer = json.loads(run.stdout)
    assert len(answer["faces"]) == len(of_the_six(face["box"] for face in answer["faces"])) == 6
    for face in answer["faces"]:
        assert face.keys() >= {"embedding", "liveness", "deepfake", "age", "gender"}
        assert len(face["embedding"]["vector"]) == 128
    assert len(answer["models"]) == 5
    for alias, tag in answer["models"].items():
        assert tag.startswith("starter_")
        assert "research and evaluation; commercial use: no" in answer["caveats"][alias]
    assert "research and evaluation; commercial use: no" in run.stderr
    assert "the default pack cannot be had: " in run.stderr
    assert "yunet_n_dynamic.onnx" in run.stderr


def test_without_weights_it_says_what_is_missing_and_how_to_get_it(tmp_path: Path, nowhere: dict[str, str]) -> None:
    """Starter models forbidden: every model by name, and the variable to set."""
    run = demo(tmp_path, **nowhere, FACESOCIAL__MODELS__STARTER="false")
    assert run.returncode == 1
    assert run.stdout == ""
    assert "Traceback" not in run.stderr
    for words in ("yunet_n_dynamic", "mobilefacenet_foamliu", "minifasnet_fused", "mesoinception_df"):
        assert words in run.stderr
    for words in ("faceapi_age_gender", "face_landmarker", "FACESOCIAL_MODEL_MIRROR"):
        assert words in run.stderr


def test_not_a_picture(library: Library, tmp_path: Path) -> None:
    """The service's own words, exit code 1."""
    (tmp_path / "a.jpg").write_text("not a picture")
    run = demo(tmp_path, str(tmp_path / "a.jpg"))
    assert run.returncode == 1
    assert "expected a JPEG, PNG or WebP image" in run.stderr
    assert "Traceback" not in run.stderr
