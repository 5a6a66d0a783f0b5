"""A recorded trace lands in a file that the simulator reads."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app
from tests.cli.vram.conftest import Answering
from vram_policy.simulation.generators import generate
from vram_policy.simulation.trace import as_text, read_trace

pytestmark = pytest.mark.unit

PAGE = "/v1/admin/vram/trace"


def recorded(answering: Answering, file: Path, processes: int) -> str:
    """What the command says; each process was asked for the same."""
    from vram_policy.simulation.catalogue import CATALOGUE

    text = as_text(generate("steady", CATALOGUE, 4 << 30, 1, duration=60))
    answering.pages[PAGE] = 200, {"items": [{"process": f"p{n}", "trace": text} for n in range(processes)]}
    result = CliRunner().invoke(app, ["vram", "record", str(file), "--url", answering.url])
    assert result.exit_code == 0
    return result.output


def test_one_process_one_file(answering: Answering, tmp_path: Path) -> None:
    said = recorded(answering, tmp_path / "day.trace", 1)
    trace = read_trace(tmp_path / "day.trace")
    assert f"{len(trace.asked)} requests" in said


def test_a_file_for_each_process(answering: Answering, tmp_path: Path) -> None:
    recorded(answering, tmp_path / "day.trace", 2)
    assert {file.name for file in tmp_path.iterdir()} == {"day-p0.trace", "day-p1.trace"}


def test_without_a_card_nothing_is_written(answering: Answering, tmp_path: Path) -> None:
    assert "nothing is recorded" in recorded(answering, tmp_path / "day.trace", 0)
    assert list(tmp_path.iterdir()) == []
