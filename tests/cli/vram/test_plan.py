"""`facesocial vram plan`: readable without colour, and true to the policy's arithmetic."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli.main import app
from cli.vram.layout import CELLS
from facesocial.errors import ModelNotInstalled
from models.library import Library
from vram_policy import device

pytestmark = pytest.mark.integration

Run = Callable[..., Result]


@pytest.fixture
def run(library: Library) -> Run:
    """Runs `facesocial vram plan …`."""

    def invoke(*arguments: object) -> Result:
        result = CliRunner().invoke(app, ["vram", "plan", *map(str, arguments)])
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return invoke


def bars(text: str) -> list[str]:
    """The insides of the bars."""
    return [line.split("│")[1] for line in text.splitlines() if line.count("│") == 2]


def test_six_gigabytes_hold_the_default_pack(run: Run) -> None:
    text = run("--card", "RTX 3060 Laptop").stdout
    assert text.startswith("NVIDIA GeForce RTX 3060 Laptop GPU, 6,144 MiB")
    assert text.count("from the start") == 3  # the detector, in three placements
    assert "in turns" not in text
    assert "colocated: 1 context 450 MiB, headroom 256 MiB, budget 5,438 MiB" in text
    assert "isolated: 5 contexts 2,250 MiB" in text
    assert "face_landmarker" not in text  # the mesh never takes anything of a card


def test_the_bars_are_of_one_width_and_say_everything_without_colour(run: Run) -> None:
    text = run("--card", "6GiB", "--placement", "colocated").stdout
    models, zones = bars(text)
    assert len(models) == len(zones) == CELLS
    assert models.startswith("░")
    assert models.endswith("·")
    assert set("ABCDE") <= set(models)
    assert zones.count("h") > zones.count("c") > zones.count("f") > 0
    assert "A yunet_n_dynamic" in text
    assert "\x1b[" not in text


def test_what_does_not_fit_takes_turns_or_runs_on_the_cpu(run: Run) -> None:
    assert "in turns" in run("--card", "1.2GiB", "--placement", "colocated").stdout
    text = run("--card", "1GiB", "--placement", "isolated").stdout
    assert "too small, everything runs on the CPU" in text
    assert not bars(text)


def test_the_operators_zones_and_pins_hold(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACESOCIAL__VRAM__MODELS", '{"mesoinception_df": {"zone": "critical", "pin": true}}')
    monkeypatch.setenv("FACESOCIAL__VRAM__BUDGET_MIB", "1000")
    monkeypatch.setenv("FACESOCIAL__VRAM__HEADROOM_MIB", "100")
    text = run("--card", "6GiB", "--placement", "embedded").stdout
    row = next(line for line in text.splitlines() if "mesoinception_df" in line)
    assert "critical, pinned" in row
    assert "from the start" in row
    assert "headroom 100 MiB, budget 1,000 MiB" in text


def test_all_installed_models(run: Run, library: Library) -> None:
    text = run("--card", "6GiB", "--all", "--placement", "isolated").stdout
    served = [model.spec.name for model in library.installed() if model.path.name == "model.onnx"]
    assert len(served) > 10
    assert all(name in text for name in served)
    assert text.count("facesocial_detection ") == 1


def test_without_a_card_one_must_be_named(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(device, "cards", lambda: ())
    assert "no card here" in run().output
    monkeypatch.setenv("BENTOML_HOME", str(tmp_path))
    assert "starter_embedder" in run("--card", "6GiB").output  # it serves where nothing was pulled
    monkeypatch.setenv("FACESOCIAL__MODELS__STARTER", "false")
    with pytest.raises(ModelNotInstalled, match="models pull"):
        run("--card", "6GiB")
