"""The benchmark commands run and write their sections. Their figures are no test."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.bench.main import app
from models.library import Library

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_pipeline_measures_every_contestant(library: Library, tmp_path: Path) -> None:
    """Six faces each, a ratio and a verdict for each target, the section in the file."""
    target = tmp_path / "benchmarks.md"
    run = CliRunner().invoke(app, ["pipeline", "--requests", "2", "--blocks", "1", "--json", "--write", str(target)])
    assert run.exit_code == 0, run.output
    report = json.loads(run.stdout)
    assert {"limit", "pipeline", "http 1", "http 8", "FaceAnalysis as it comes"} <= set(report["series"])
    assert {ratio["verdict"] for ratio in report["ratios"]} <= {"pass", "FAIL", "–"}
    assert "facesocial bench pipeline" in target.read_text()


def test_decode_measures_the_scales(library: Library) -> None:
    """Full, half and quarter scale of a 12-megapixel JPEG."""
    run = CliRunner().invoke(app, ["decode", "--requests", "1", "--blocks", "1"])
    assert run.exit_code == 0, run.output
    for row in ("decode, full", "decode, half", "decode, quarter"):
        assert row in run.stdout


def test_batching_measures_every_network(library: Library, tmp_path: Path) -> None:
    """A row for each network that serves, with one face and six; detection has one picture."""
    target = tmp_path / "benchmarks.md"
    arguments = ["batching", "--calls", "8", "--blocks", "1", "--callers", "2", "--write", str(target)]
    run = CliRunner().invoke(app, arguments)
    assert run.exit_code == 0, run.output
    rows = [row.split(" | ") for row in run.stdout.splitlines() if row.startswith("| ")]
    cases = {(row[0].strip("| "), row[1], row[2]) for row in rows[2:]}
    networks = ("mobilefacenet_foamliu", "minifasnet_fused", "mesoinception_df", "faceapi_age_gender")
    assert cases == {("yunet_n_dynamic", "1", "2"), *((name, faces, "2") for name in networks for faces in ("1", "6"))}
    assert "facesocial bench batching" in target.read_text()


def test_accuracy_needs_the_data(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it, the variable is named."""
    monkeypatch.delenv("FACESOCIAL_TEST_DATA", raising=False)
    run = CliRunner().invoke(app, ["accuracy"])
    assert run.exit_code == 2
    assert "FACESOCIAL_TEST_DATA" in run.output or "--data" in run.output
