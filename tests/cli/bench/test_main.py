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


def test_accuracy_needs_the_data(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it, the variable is named."""
    monkeypatch.delenv("FACESOCIAL_TEST_DATA", raising=False)
    run = CliRunner().invoke(app, ["accuracy"])
    assert run.exit_code == 2
    assert "FACESOCIAL_TEST_DATA" in run.output or "--data" in run.output
