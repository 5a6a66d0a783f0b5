"""ONNX Runtime is told how to behave, and only one file talks to it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from facesocial.capabilities import Capability
from facesocial.configuration import CpuSettings
from facesocial.errors import ModelIntegrityError
from models.library import Library
from models.store import InstalledModel
from runners.sessions import OnnxModel, cpu_options

ROOT = Path(__file__).parents[2]
PACKAGES = ("bentos", "cli", "facesocial", "models", "runners", "services", "vram_policy")


@pytest.mark.unit
def test_threads_do_not_spin() -> None:
    """As many threads as configured, none of them spinning."""
    options = cpu_options(CpuSettings(session_threads=3))
    assert options.intra_op_num_threads == 3
    assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"


@pytest.mark.unit
def test_one_file_runs_onnxruntime_and_one_quantises_with_it() -> None:
    """The product's other files know sessions only by protocol; quantisation is offline and opens none."""
    pattern = re.compile(r"^\s*(import|from) onnxruntime\b", re.MULTILINE)
    files = [file for package in PACKAGES for file in (ROOT / package).rglob("*.py")]
    assert sorted(file.relative_to(ROOT).as_posix() for file in files if pattern.search(file.read_text())) == [
        "runners/quantisation.py",
        "runners/sessions.py",
    ]
    assert "InferenceSession" not in (ROOT / "runners" / "quantisation.py").read_text()


@pytest.mark.integration
def test_a_changed_file_is_not_loaded(library: Library, tmp_path: Path) -> None:
    """R34: the digest is checked at every load."""
    installed = library.resolve(Capability.RECOGNITION)
    copy = tmp_path / "model.onnx"
    copy.write_bytes(installed.path.read_bytes()[:-1] + b"x")
    changed = InstalledModel(installed.spec, installed.tag, copy, installed.sha256)
    with pytest.raises(ModelIntegrityError, match="changed since it was registered"):
        OnnxModel(changed, CpuSettings()).open("cpu")


@pytest.mark.integration
def test_no_session_for_a_device_that_is_not_there(library: Library) -> None:
    """No silent CPU."""
    with pytest.raises(ValueError, match="cuda:0"):
        OnnxModel(library.resolve(Capability.RECOGNITION), CpuSettings()).open("cuda:0")
