"""Profiles stay with their model, for exactly what they were measured on."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from structlog.testing import capture_logs

from models import profiles
from models.profiles import Key, Measurement
from models.store import InstalledModel, Store
from tests.models.conftest import MakeOnnx, MakeSpec

pytestmark = pytest.mark.unit

KEY = Key(digest="a" * 64, device="NVIDIA GeForce RTX 3060", runtime="1.26.0", options={"x": "y"}, batch=16)


def measured(**fields: object) -> Measurement:
    """Some figures."""
    figures = {"weights": 10, "peak": 30, "steady": 20, "cpu": 0.1, "cpu_most": 1.0, "gpu": 0.01, "gpu_most": 0.05}
    times = {"load": 0.5, "load_cpu": 0.4, "unload": 0.01, "date": datetime(2026, 1, 2, tzinfo=UTC), "method": "a test"}
    return Measurement.model_validate(figures | times | fields)


@pytest.fixture
def model(tmp_path: Path, make_onnx: MakeOnnx, make_spec: MakeSpec) -> InstalledModel:
    """An installed model."""
    content = make_onnx()
    return Store(tmp_path).register(make_spec(content), content)


def files(model: InstalledModel) -> list[Path]:
    """What lies in its folder of profiles."""
    return sorted((model.path.parent / "profiles").glob("*"))


def test_what_was_written_is_read(model: InstalledModel) -> None:
    assert profiles.read(model, KEY) is None
    profiles.write(model, KEY, measured())
    profiles.write(model, KEY, measured(peak=40))
    assert profiles.read(model, KEY) == measured(peak=40)
    assert [file.suffix for file in files(model)] == [".json"]
    assert files(model)[0].name.startswith("nvidia-geforce-rtx-3060-")


@pytest.mark.parametrize(
    "other", [{"digest": "b" * 64}, {"device": "T4"}, {"runtime": "1.31.0"}, {"options": {}}, {"batch": 8}]
)
def test_a_profile_holds_for_nothing_else(model: InstalledModel, other: dict[str, object]) -> None:
    profiles.write(model, KEY, measured())
    assert profiles.read(model, KEY.model_copy(update=other)) is None


def _cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:40])


def _impossible(file: Path) -> None:
    stored = json.loads(file.read_text())
    stored["measurement"]["peak"] = 1
    file.write_text(json.dumps(stored))


def _future(file: Path) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | {"later": 1}))


@pytest.mark.parametrize("damage", [_cut, _impossible, _future])
def test_a_damaged_one_is_as_good_as_none_and_is_said(model: InstalledModel, damage: Callable[[Path], None]) -> None:
    profiles.write(model, KEY, measured())
    damage(files(model)[0])
    with capture_logs() as logs:
        assert profiles.read(model, KEY) is None
    assert [entry["log_level"] for entry in logs] == ["warning"]
    profiles.write(model, KEY, measured())
    assert profiles.read(model, KEY) == measured()


def test_a_write_that_fails_leaves_what_was_there(model: InstalledModel, monkeypatch: pytest.MonkeyPatch) -> None:
    profiles.write(model, KEY, measured())

    def full(_: int) -> None:
        raise OSError("no space")

    monkeypatch.setattr("models.profiles.os.fsync", full)
    with pytest.raises(OSError, match="no space"):
        profiles.write(model, KEY, measured(peak=99))
    assert profiles.read(model, KEY) == measured()
    assert len(files(model)) == 1


def test_they_go_with_the_model_and_do_not_disturb_it(model: InstalledModel, tmp_path: Path) -> None:
    profiles.write(model, KEY, measured())
    model.verify()
    assert Store(tmp_path).get(model.tag) == model
    Store(tmp_path).remove(model.tag)
    assert not model.path.parent.exists()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(st.text(max_size=80), st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=3))
def test_any_card_has_a_file_name(model: InstalledModel, device: str, options: dict[str, str]) -> None:
    key = KEY.model_copy(update={"device": device, "options": options})
    profiles.write(model, key, measured())
    assert profiles.read(model, key) == measured()


@pytest.mark.parametrize("wrong", [{"peak": 9}, {"steady": 31}, {"weights": -1}, {"cpu": -0.1}, {"load": float("nan")}])
def test_figures_that_cannot_be(wrong: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        measured(**wrong)
