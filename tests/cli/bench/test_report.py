"""What is written: tables with their machine, and the section of a file that a command owns."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cli.bench.machine import Machine
from cli.bench.measurement import Block, Ratio, Series
from cli.bench.report import Report, write_section

pytestmark = pytest.mark.unit


@pytest.fixture
def report() -> Report:
    machine = Machine("2026-01-02", "a processor", 2, 0.5, "3.11.1", {"numpy": "2.0"})
    series = {"limit": Series((Block((0.01, 0.02), 0.03, 6), Block((0.03, 0.04), 0.07, 6)))}
    return Report("pipeline", "Title", "Notes.", machine, series, [Ratio("a / b", 1.234, "≤", 1.2), Ratio("c", 2.0)])


def test_markdown_shows_times_misses_and_machine(report: Report) -> None:
    text = report.markdown()
    assert "| limit | 6 | 25.0 | 38.5 | 15.0 35.0 | 40.0 |" in text
    assert "| a / b | 1.23 | ≤ 1.2 | FAIL |" in text
    assert "| c | 2.00 | – | – |" in text
    assert "2026-01-02, a processor, 2 cores, load 0.5 before; Python 3.11.1, numpy 2.0." in text


def test_json_holds_every_time(report: Report) -> None:
    data = json.loads(json.dumps(report.data()))
    assert data["series"]["limit"][1] == {"seconds": [0.03, 0.04], "elapsed": 0.07, "faces": 6}
    assert data["ratios"][0]["verdict"] == "FAIL"
    assert data["machine"]["cores"] == 2


def test_this_machine_is_named() -> None:
    machine = Machine.here()
    assert machine.cpu
    assert machine.cores >= 1
    assert {"numpy", "bentoml"} <= machine.packages.keys()


def test_a_section_is_added_then_replaced_and_the_rest_stays(tmp_path: Path) -> None:
    file = tmp_path / "docs" / "benchmarks.md"
    write_section(file, "pipeline", "one \\1")
    write_section(file, "decode", "two")
    file.write_text(file.read_text("utf-8") + "\nby hand\n", "utf-8")
    write_section(file, "pipeline", "three \\1")
    text = file.read_text("utf-8")
    assert text.startswith("# Benchmarks\n")
    assert "one" not in text
    assert "three \\1" in text
    assert text.count("<!-- facesocial bench pipeline -->") == 1
    assert text.index("three") < text.index("two") < text.index("by hand")
