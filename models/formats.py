"""The two kinds of file that are served: ONNX, and the MediaPipe task bundle."""

from __future__ import annotations

import os
import stat
import zipfile
import zlib
from enum import StrEnum
from io import BufferedReader, BytesIO
from pathlib import Path
from typing import Final

from facesocial.errors import ModelIntegrityError
from models import onnx_file

MAX_BYTES: Final = 1 << 30
MAX_TASK_MEMBERS: Final = 32
TASK_PADDING: Final = 16  # MediaPipe aligns its members, so the zip may begin after a few zeros
TASK_SUFFIXES: Final = (".tflite", ".binarypb")


class Format(StrEnum):
    """What a model file is. The value is the name it has in the store."""

    ONNX = "model.onnx"
    TASK = "model.task"


def inspect(content: bytes) -> Format:
    """What these bytes are, judged by content alone.

    Raises:
        ModelIntegrityError: neither a self-contained ONNX model (see `models.onnx_file`) nor a MediaPipe task.
    """
    if content[:TASK_PADDING].lstrip(b"\0").startswith(b"PK\x03\x04"):  # never the start of a protobuf message
        _check_task(content)
        return Format.TASK
    if content[4:8] == b"ORTM":  # ONNX Runtime would read it as its own format, which onnx_file does not walk
        raise ModelIntegrityError("the file is not an ONNX model")
    onnx_file.check(content)
    return Format.ONNX


def read_regular(path: Path) -> bytes:
    """The bytes of a plain file, see `open_regular`."""
    with open_regular(path) as file:
        return file.read(MAX_BYTES)


def open_regular(path: Path) -> BufferedReader:
    """A plain file of at most `MAX_BYTES` that has this one name, open for reading.

    Raises:
        ModelIntegrityError: missing, too large, a link (symbolic or hard) or no plain file.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)  # a FIFO must not hold us up
    except OSError as error:
        raise ModelIntegrityError(f"{path.name} cannot be read: {error.strerror}") from error
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1:
        os.close(descriptor)
        raise ModelIntegrityError(f"{path.name} is a link or no plain file; copy it first")
    if status.st_size > MAX_BYTES:
        os.close(descriptor)
        raise ModelIntegrityError(f"{path.name} is larger than {MAX_BYTES} bytes")
    return os.fdopen(descriptor, "rb")


def _check_task(content: bytes) -> None:
    refused = ModelIntegrityError("the file is neither ONNX nor a MediaPipe task")
    try:
        with zipfile.ZipFile(BytesIO(content)) as bundle:
            members = bundle.infolist()
            if len(members) > MAX_TASK_MEMBERS or not all(
                member.filename.endswith(TASK_SUFFIXES) for member in members
            ):
                raise refused
            networks = [member for member in members if member.filename.endswith(".tflite")]
            for network in networks:
                with bundle.open(network) as file:
                    if file.read(8)[4:] != b"TFL3":
                        raise refused
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, zlib.error) as error:
        raise refused from error
    if not networks:
        raise refused
