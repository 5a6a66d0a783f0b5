"""`facesocial models quantise`: what is asked, measured, said and registered."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli.bench import int8
from cli.main import app
from facesocial.capabilities import Capability
from facesocial.errors import ModelError, ModelNotInstalled
from models.library import Library

pytestmark = pytest.mark.integration

NAME = "mobilefacenet_foamliu"
ALIAS = Capability.RECOGNITION.alias

Run = Callable[..., Result]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs `facesocial models …`; times are taken once, for nothing here asks how fast."""
    monkeypatch.setattr(int8, "BLOCKS", 1)
    monkeypatch.setattr(int8, "RUNS", 1)

    def invoke(*arguments: object) -> Result:
        result = CliRunner().invoke(app, ["models", *map(str, arguments)])
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return invoke


@pytest.fixture
def people(data: Path, tmp_path: Path) -> Path:
    """Three pictures to calibrate with."""
    folder = tmp_path / "people"
    folder.mkdir()
    for name in ("obama", "biden", "six_faces"):
        (folder / f"{name}.jpg").symlink_to(data / "people" / f"{name}.jpg")
    return folder


@pytest.fixture
def swept(library: Library) -> Iterator[Library]:
    """The tests' store, without the variants that a test makes."""
    yield library
    original = library.store.get(NAME)
    library.aliases.activate(ALIAS, original.tag)
    for model in library.installed():
        if model.spec.quantisation:
            library.remove(model.tag)


def test_what_was_not_judged_is_reported_and_not_registered(swept: Library, run: Run, people: Path) -> None:
    """No accuracy without data; the table says so."""
    result = run("quantise", NAME, "--calibration", people)
    (row,) = [line for line in result.stdout.splitlines() if line.startswith(f"| {NAME} |")]
    assert "not kept" in row
    assert "accuracy not judged" in row
    assert "Calibrated on 3 pictures, none of which are among the judged." in result.stdout
    with pytest.raises(ModelNotInstalled):
        swept.store.get(f"{NAME}_int8")


def test_what_is_kept_is_a_model_like_any_other(swept: Library, run: Run, people: Path, tmp_path: Path) -> None:
    """Registered when asked, listed, activated, verified, rolled back, removed."""
    table = tmp_path / "benchmarks.md"
    result = run("quantise", NAME, "--calibration", people, "--keep", "--write", table)
    assert "kept as asked: " in result.stdout
    assert "<!-- facesocial bench int8 -->" in table.read_text("utf-8")

    variant, original = swept.store.get(f"{NAME}_int8"), swept.store.get(NAME)
    assert variant.spec.quantisation
    assert "accuracy not judged" in variant.spec.accuracy
    assert "int8" in variant.spec.caveat
    assert variant.spec.threshold == original.spec.threshold
    assert variant.spec.contract_id != original.spec.contract_id
    rows = {row["model"]: row for row in json.loads(run("list", "--json").stdout)}
    assert (rows[NAME]["weights"], rows[f"{NAME}_int8"]["weights"]) == ("float32", "int8")

    assert f"{ALIAS} serves {variant.tag}" in run("activate", ALIAS, f"{NAME}_int8").stdout
    assert run("verify").exit_code == 0
    assert f"{ALIAS} serves {original.tag}" in run("rollback", ALIAS).stdout
    assert run("remove", f"{NAME}_int8").exit_code == 0


def test_what_cannot_be_quantised_is_refused(swept: Library, run: Run, people: Path) -> None:
    """A MediaPipe task, a variant, a name that is not installed."""
    with pytest.raises(ModelError, match="MediaPipe task"):
        run("quantise", "face_landmarker", "--calibration", people)
    with pytest.raises(ModelNotInstalled, match="not installed"):
        run("quantise", "absent", "--calibration", people)
    run("quantise", NAME, "--calibration", people, "--keep")
    with pytest.raises(ModelError, match="int8 already"):
        run("quantise", f"{NAME}_int8", "--calibration", people)
