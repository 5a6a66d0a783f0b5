"""Runs a converter in a child process, because its sources come from strangers, and checks what it made."""

from __future__ import annotations

import importlib.util
import json
import logging
import os
import resource
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from facesocial.errors import ConversionError
from models.convert.registry import CONVERTERS

REFUSED: Final = 3  # exit status of a child that says on stdout why it converts nothing

_EXTRA: Final = ("h5py", "numpy", "onnx")
_MAX_MESSAGE: Final = 500
_PACKAGE_ROOT: Final = Path(__file__).resolve().parents[2]
_INHERITED: Final = ("PATH", "LD_LIBRARY_PATH")  # the second, because some Pythons find their own library by it

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Limits:
    """What one conversion may use."""

    memory: int = 2 * 2**30
    """Address space in bytes."""
    file_size: int = 256 * 2**20
    """Bytes of the largest file it may write."""
    open_files: int = 64
    cpu_seconds: int = 120
    wall_seconds: float = 240

    def impose(self) -> None:
        """Binds the calling process to these limits, except the wall clock, which its parent watches; no core dumps."""
        resource.setrlimit(resource.RLIMIT_AS, (self.memory, self.memory))
        resource.setrlimit(resource.RLIMIT_FSIZE, (self.file_size, self.file_size))
        resource.setrlimit(resource.RLIMIT_NOFILE, (self.open_files, self.open_files))
        resource.setrlimit(resource.RLIMIT_CPU, (self.cpu_seconds, self.cpu_seconds + 1))  # SIGXCPU before SIGKILL
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def convert(name: str, sources: Sequence[Path], target: Path, limits: Limits | None = None) -> None:
    """Turns the source files of a network into one ONNX file with a dynamic batch.

    The same sources give the same bytes. `target` appears, or is replaced, only when the result has passed its checks:
    the child ran it on a stored probe picture, and this process finds a valid graph without data elsewhere.

    Args:
        name: a key of `CONVERTERS`.
        sources: the files, in the order of the catalogue.
        target: where the model goes; its folder exists.
        limits: for the child; None: the defaults of `Limits`.

    Raises:
        ConversionError: the extra `convert` is missing, there is no such converter, the sources are not what it reads,
            a limit was reached, or the result fails a check.
    """
    missing = [module for module in _EXTRA if importlib.util.find_spec(module) is None]
    if missing:
        raise ConversionError(f"converting {name} needs {' and '.join(missing)}: run `uv sync --extra convert`")
    if name not in CONVERTERS:
        raise ConversionError(f"no converter is named {name!r}; there are {', '.join(CONVERTERS)}")
    with tempfile.TemporaryDirectory(prefix=".convert-", dir=target.parent) as folder:
        candidate = Path(folder).resolve() / "model.onnx"
        _run(name, sources, candidate, limits or Limits())
        _check(name, candidate)
        candidate.replace(target)


def _run(name: str, sources: Sequence[Path], target: Path, limits: Limits) -> None:
    command = [sys.executable, "-m", "models.convert", json.dumps(asdict(limits)), name, str(target)]
    command += [str(source.resolve()) for source in sources]
    with tempfile.TemporaryFile() as noise:
        try:
            child = subprocess.run(  # noqa: S603  # our own module, an argument list, no shell
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=noise,
                cwd=target.parent,
                env=_environment(target.parent),
                start_new_session=True,
                timeout=limits.wall_seconds,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise ConversionError(f"converting {name} took longer than {limits.wall_seconds:g} s") from None
        noise.seek(0)
        _log.debug("converter %s ended with %d: %r", name, child.returncode, noise.read(4 * _MAX_MESSAGE))
    if child.returncode == 0:
        return
    raise ConversionError(f"converting {name}: {_reason(child.returncode, child.stdout, limits)}")


def _reason(status: int, message: bytes, limits: Limits) -> str:
    if status == REFUSED:
        text = message[:_MAX_MESSAGE].decode(errors="replace")
        return "".join(character if character.isprintable() else "�" for character in text)
    if status == -signal.SIGXCPU:
        return f"took more than {limits.cpu_seconds} s of CPU time"
    end = f"ended by signal {-status}" if status < 0 else f"failed with exit status {status}"
    room = f"{limits.memory // 2**20} MiB of memory and write files of {limits.file_size / 2**20:g} MiB"
    return f"{end}; it may use {room}"


def _environment(folder: Path) -> dict[str, str]:
    """Nothing of this process's environment but where programs and libraries are."""
    return {name: os.environ[name] for name in _INHERITED if name in os.environ} | {
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "PYTHONPATH": str(_PACKAGE_ROOT),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONHASHSEED": "0",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",  # each thread reserves address space
        "HDF5_PLUGIN_PRELOAD": "::",  # HDF5 then loads no filter libraries, whatever a file asks for
    }


def _check(name: str, path: Path) -> None:
    """The file is one valid ONNX model, whole in itself, whose inputs and outputs have a dynamic first axis."""
    import onnx

    data = path.read_bytes()
    try:
        onnx.checker.check_model(data, full_check=True)
    except (ValueError, onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise ConversionError(f"converting {name} gave no valid ONNX model") from error
    model = onnx.load_from_string(data)
    if any(tensor.external_data for tensor in model.graph.initializer):
        raise ConversionError(f"converting {name} gave a model with data elsewhere")
    values = [*model.graph.input, *model.graph.output]
    if not all(value.type.tensor_type.shape.dim[0].dim_param for value in values):
        raise ConversionError(f"converting {name} gave a model with a fixed batch")
