"""`facesocial vram simulate`: tables on the terminal, a section and two pictures in a folder, traces from files."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from typer.testing import CliRunner, Result

from cli.vram.main import app
from tests.vram_policy.simulation.small import model, trace
from vram_policy.footprint import MEBIBYTE
from vram_policy.simulation.catalogue import CARDS, CATALOGUE, budget_of
from vram_policy.simulation.generators import generate
from vram_policy.simulation.trace import as_text

pytestmark = pytest.mark.unit


def simulate(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["simulate", *arguments], env={"COLUMNS": "160"})


def short(name: str, folder: Path) -> str:
    """A file with ten minutes of the named trace."""
    file = folder / f"{name}.jsonl"
    file.write_text(as_text(generate(name, CATALOGUE, budget_of(CARDS["4GiB"]), 3, duration=600)))
    return str(file)


def test_tables_and_pictures(tmp_path: Path) -> None:
    target = tmp_path / "benchmarks.md"
    arguments = ("--trace", short("thrash", tmp_path), "--card", "4GiB", "--policy", "LRU", "--policy", "ours")
    run = simulate(*arguments, "--write", str(target))
    assert run.exit_code == 0, run.output
    assert "4GiB: net benefit" in run.stdout
    text = target.read_text("utf-8")
    assert "<!-- facesocial bench vram -->" in text
    assert "| **ours** |" in text
    assert "× what LRU saves" in text
    for picture in ("vram-shares.svg", "vram-thrash.svg"):
        assert picture in text
        drawing = ET.parse(tmp_path / picture).getroot()
        assert len(list(drawing)) > 5


def test_bars_and_losses_are_told(tmp_path: Path) -> None:
    target = tmp_path / "benchmarks.md"
    arguments = ("--trace", short("steady", tmp_path), "--policy", "best static set", "--policy", "ours")
    run = simulate("--card", "4GiB", *arguments, "--write", str(target))
    assert run.exit_code == 0, run.output
    text = target.read_text("utf-8")
    assert "| 4GiB, steady | 0." in text
    assert "4GiB, steady: ours 0." in text


def test_a_generated_trace_is_drawn_from_reporting_seeds() -> None:
    run = simulate("--trace", "pipeline", "--card", "6GiB", "--seeds", "1", "--policy", "best static set")
    assert run.exit_code == 0, run.output
    assert "best static set" in run.stdout


def test_a_recorded_trace_is_replayed(tmp_path: Path) -> None:
    models = (model("critical", "critical", 300 * MEBIBYTE), model("one", size=500 * MEBIBYTE))
    (tmp_path / "mine.jsonl").write_text(as_text(trace(models, *((float(second), 1) for second in range(90)))))
    run = simulate("--trace", str(tmp_path / "mine.jsonl"), "--card", "2GiB")
    assert run.exit_code == 0, run.output
    assert "2GiB: net benefit" in run.stdout


@pytest.mark.parametrize("arguments", [("--card", "large"), ("--policy", "nobody"), ("--trace", "/nowhere")])
def test_what_is_not_known_is_named(arguments: tuple[str, ...]) -> None:
    run = simulate("--seeds", "1", *arguments)
    assert run.exit_code != 0
    assert arguments[1] in run.output or arguments[1] in str(run.exception)
