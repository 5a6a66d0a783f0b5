"""What an operator sees of the cards."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from cli.main import app
from cli.vram.top import draw
from tests.cli.vram.conftest import Answering

pytestmark = pytest.mark.unit


def drawn(items: list[dict[str, Any]], width: int = 160) -> str:
    """As text."""
    page = io.StringIO()
    Console(width=width, file=page).print(draw(items))
    return page.getvalue()


def test_zones_models_and_why_not(report: dict[str, Any]) -> None:
    text = drawn([report])
    assert "simulated:0 (simulated), facesocial_pipeline: 50% on the card" in text
    assert "H" * 21 + "." in text, "300 of 800 MiB of 56 columns"
    assert "300 of 800 MiB" in text
    row = next(line for line in text.splitlines() if line.startswith("large"))
    assert row.split()[:4] == ["large", "F", "absent", "900"]
    assert "large: larger than the budget" in text
    narrow = drawn([report], 80)
    assert max(len(line) for line in narrow.splitlines()) <= 80
    assert row.rstrip() in narrow, "no cell is cut in 80 columns"


def test_a_lost_card_and_what_it_cannot_say(report: dict[str, Any]) -> None:
    card = report["cards"][0]
    card.update(lost="the context is poisoned", free=None, leaked=100 << 20)
    text = drawn([report])
    assert "LOST: the context is poisoned" in text
    assert "card free ? MiB" in text
    assert "H" + "x" * 7 + "." in text, "100 of 800 MiB of 56 columns leaked"


def test_without_a_card() -> None:
    assert "every model runs on the CPU" in drawn([])
    assert "every model runs on the CPU" in drawn([{"process": "facesocial", "cards": []}])


def test_once_prints_and_ends(answering: Answering, report: dict[str, Any]) -> None:
    answering.pages["/v1/admin/vram"] = 200, {"items": [report]}
    result = CliRunner().invoke(app, ["vram", "top", "--once", "--url", answering.url])
    assert result.exit_code == 0
    assert "300 of 800 MiB" in result.output
