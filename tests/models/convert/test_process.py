"""`convert` runs its child within limits, leaves nothing behind when it fails, and gives the same bytes each time."""

from __future__ import annotations

import hashlib
import os
import pkgutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from facesocial.errors import ConversionError
from models.convert import CONVERTERS, Limits, convert, probe, process

ROOT = Path(__file__).parents[3]
FOR_CONVERTER = {
    "faceapi_age_gender": ("age_gender_manifest", "age_gender_shard"),
    "mesoinception": ("mesoinception_df",),
    "mesonet4": ("meso4_df",),
    "minifasnet_fused": ("minifasnet_v2", "minifasnet_v1se"),
    "minifasnet_v1se": ("minifasnet_v1se",),
    "minifasnet_v2": ("minifasnet_v2",),
    "mobilefacenet": ("mobilefacenet",),
}
NEAREST = {
    "faceapi_age_gender": "age_gender_shard",
    "mesoinception": "meso4_df",
    "mesonet4": "mesoinception_df",
    "minifasnet_fused": "minifasnet_v2",
    "minifasnet_v1se": "minifasnet_v2",
    "minifasnet_v2": "minifasnet_v1se",
    "mobilefacenet": "minifasnet_v2",
}


def _python(code: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.unit
def test_importing_the_package_is_light() -> None:
    """Serving needs `VERSION` but not the extra `convert`."""
    result = _python(
        "import sys, models.convert; print(sorted({'h5py', 'numpy', 'onnx', 'pydantic'} & set(sys.modules)))"
    )
    assert result.stdout == "[]\n", result.stderr


@pytest.mark.unit
@pytest.mark.parametrize("module", ["h5py", "onnx"])
def test_a_missing_extra_is_named(module: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With the command that installs it."""
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ConversionError, match=f"{module}: run `uv sync --extra convert`"):
        convert("mobilefacenet", [tmp_path / "any"], tmp_path / "model.onnx")


@pytest.mark.unit
def test_an_unknown_converter_is_refused(tmp_path: Path) -> None:
    """And those that exist are named."""
    with pytest.raises(ConversionError, match="mobilefacenet"):
        convert("resnet", [], tmp_path / "model.onnx")


@pytest.mark.unit
def test_h_limits_bind_the_process() -> None:
    """Files, memory and CPU time: allocation fails, a loop is ended by SIGXCPU, nothing dumps core."""
    start = "import resource\nfrom models.convert import Limits\n"
    code = "Limits(memory=2**29).impose()\ntry: bytearray(2**30)\nexcept MemoryError: print('none left')"
    assert _python(start + code).stdout == "none left\n"
    code = "Limits(open_files=9).impose()\nprint(resource.getrlimit(resource.RLIMIT_NOFILE), end=' ')\n"
    code += "print(resource.getrlimit(resource.RLIMIT_CORE))"
    assert _python(start + code).stdout == "(9, 9) (0, 0)\n"
    assert _python(start + "Limits(cpu_seconds=1).impose()\nwhile True: pass").returncode == -signal.SIGXCPU


@pytest.mark.integration
@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (Limits(wall_seconds=0.05), "longer than 0.05 s"),
        (Limits(memory=150 * 2**20), "150 MiB"),
        (Limits(file_size=2**19), "status 1; .* files of 0.5 MiB"),
    ],
)
def test_h_a_child_over_its_limit_is_a_conversion_error(
    limits: Limits, message: str, source: Callable[[str], Path], tmp_path: Path
) -> None:
    """It leaves neither a process nor a file."""
    with pytest.raises(ConversionError, match=message):
        convert("mobilefacenet", [source("mobilefacenet")], tmp_path / "model.onnx", limits)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.unit
def test_the_child_sees_no_secret(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Its environment is made from nothing, and HDF5 may load no filter library."""
    seen: list[dict[str, str]] = []

    def spy(command: list[str], env: dict[str, str], **_: Any) -> subprocess.CompletedProcess[bytes]:
        seen.append(env)
        return subprocess.CompletedProcess(command, process.REFUSED, b"seen")

    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    monkeypatch.setattr(subprocess, "run", spy)
    with pytest.raises(ConversionError, match="seen"):
        convert("mobilefacenet", [tmp_path / "any"], tmp_path / "model.onnx")
    assert seen[0].keys() <= {"PATH", "LD_LIBRARY_PATH", *process._environment(tmp_path)}
    assert "AWS_SECRET_ACCESS_KEY" not in seen[0]
    assert seen[0]["HDF5_PLUGIN_PRELOAD"] == "::"


@pytest.mark.integration
@pytest.mark.parametrize("converter", sorted(CONVERTERS))
def test_a_source_of_another_network_is_refused(converter: str, source: Callable[[str], Path], tmp_path: Path) -> None:
    """The nearest other network, as often as the converter wants files: it says so and writes nothing."""
    other = source(NEAREST[converter])
    with pytest.raises(ConversionError, match=f"converting {converter}: "):
        convert(converter, [other] * len(FOR_CONVERTER[converter]), tmp_path / "model.onnx")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.integration
def test_a_source_cut_short_is_refused_and_the_old_model_stays(source: Callable[[str], Path], tmp_path: Path) -> None:
    """A failed conversion does not touch what is there."""
    cut = tmp_path / "cut.pt"
    cut.write_bytes(source("mobilefacenet").read_bytes()[:-1])
    target = tmp_path / "model.onnx"
    target.write_bytes(b"old")
    with pytest.raises(ConversionError, match="cut short"):
        convert("mobilefacenet", [cut], target)
    assert target.read_bytes() == b"old"


@pytest.mark.unit
def test_a_source_that_never_ends_is_refused(tmp_path: Path) -> None:
    """A pipe would be waited for; it is not opened."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(ConversionError, match="not a regular file"):
        convert("mobilefacenet", [pipe], tmp_path / "model.onnx")


@pytest.mark.integration
@pytest.mark.parametrize("name", FOR_CONVERTER)
def test_the_same_sources_give_the_same_bytes(
    name: str, source: Callable[[str], Path], converted: Callable[..., Path]
) -> None:
    """In the child and in this process; the probe passes here too; opset and IR are ones onnxruntime 1.24 knows."""
    files = [source(short) for short in FOR_CONVERTER[name]]
    model = pkgutil.resolve_name(CONVERTERS[name])(files).model()
    target = converted(name, *FOR_CONVERTER[name])
    assert model.SerializeToString(deterministic=True) == target.read_bytes()
    assert model.ir_version <= 10
    assert [(opset.domain, opset.version <= 20) for opset in model.opset_import] == [("", True)]
    probe.check(name, [hashlib.sha256(file.read_bytes()).hexdigest() for file in files], target)
