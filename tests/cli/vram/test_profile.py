"""`facesocial vram profile`: what is measured, shown and written."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli.bench import stage
from cli.main import app
from cli.vram import measurement
from facesocial.errors import ModelError, ModelNotInstalled
from models.library import Library
from models.profiles import Measurement
from vram_policy import device
from vram_policy.device import Description

pytestmark = pytest.mark.integration

Run = Callable[..., Result]
MEBI = 1 << 20
PACK = ["yunet_n_dynamic", "mobilefacenet_foamliu", "minifasnet_fused", "mesoinception_df", "faceapi_age_gender"]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Names and devices that were to be measured; nothing is, and there is no card."""
    seen: list[tuple[str, str]] = []

    def measure(tag: str, on: str, _: object) -> Measurement:
        seen.append((tag.partition(":")[0], on))
        return Measurement(
            weights=1 * MEBI,
            peak=3 * MEBI,
            steady=2 * MEBI,
            cpu=0.0101,
            cpu_most=0.1,
            gpu=0.002,
            gpu_most=0.02,
            load=0.5,
            load_cpu=0.4,
            unload=0.03,
            date=datetime(2026, 1, 2, tzinfo=UTC),
            method="a test",
        )

    @contextmanager
    def child(_: object) -> Iterator[ThreadPoolExecutor]:
        with ThreadPoolExecutor(1) as pool:
            yield pool

    monkeypatch.setattr(measurement, "measure", measure)
    monkeypatch.setattr(stage, "child", child)
    monkeypatch.setattr(device, "cards", lambda: ())
    return seen


@pytest.fixture
def run(library: Library) -> Run:
    """Runs `facesocial vram profile …`."""

    def invoke(*arguments: object) -> Result:
        result = CliRunner().invoke(app, ["vram", "profile", *map(str, arguments)])
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return invoke


def test_what_serves_is_measured_for_simulated_cards(run: Run, asked: list[tuple[str, str]]) -> None:
    """The mesh is none: it takes nothing of a card."""
    result = run()
    assert asked == [(name, "cpu") for name in PACK]
    row = next(line for line in result.stdout.splitlines() if line.startswith("yunet"))
    assert " ".join(row.split()) == "yunet_n_dynamic simulated 1.0 3.0 2.0 0.0 10.1 100.0 2.0 20.0 0.50 0.40 30"


def test_with_a_card_both_are_measured(run: Run, asked: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "cards", lambda: (Description(6 << 30, "T4"), Description(6 << 30, "T4")))
    run("meso4_df")
    assert asked == [("meso4_df", "cpu"), ("meso4_df", "cuda:0")]
    run("meso4_df", "--device", "cuda:1")
    assert asked[2:] == [("meso4_df", "cuda:1")]


def test_every_simulated_card_is_the_cpu(run: Run, asked: list[tuple[str, str]]) -> None:
    run("meso4_df", "--device", "simulated:0")
    assert asked == [("meso4_df", "cpu")]


def test_the_section_says_what_its_figures_are(run: Run, asked: list[tuple[str, str]], tmp_path: Path) -> None:
    file = tmp_path / "benchmarks.md"
    run("meso4_df", "--device", "cpu", "--write", file)
    text = file.read_text("utf-8")
    assert text.count("<!-- facesocial bench vram-profile -->") == 1
    assert "stand-in for a card, not a card" in text
    assert "| meso4_df | simulated | 1.0 | 3.0 |" in text


def test_what_cannot_be_measured_is_said(run: Run, asked: list[tuple[str, str]]) -> None:
    assert "there is no cuda:7 here" in run("meso4_df", "--device", "cuda:7").output
    with pytest.raises(ModelError, match="MediaPipe"):
        run("face_landmarker")
    with pytest.raises(ModelNotInstalled):
        run("nobody")
    assert not asked


def test_an_empty_store_says_how_to_fill_it(
    run: Run, asked: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("BENTOML_HOME", str(tmp_path))
    with pytest.raises(ModelNotInstalled, match="models pull"):
        run()
