"""Source files: whole, regular and within a bound."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Final

from facesocial.errors import ConversionError

MAX_SOURCE_BYTES: Final = 256 * 2**20


def source_size(path: Path) -> int:
    """Bytes of a regular file.

    Raises:
        ConversionError: it cannot be found, is no regular file, or is larger than `MAX_SOURCE_BYTES`.
    """
    try:
        status = path.stat()
    except OSError as error:
        raise ConversionError(f"a source cannot be read: {error.strerror}") from error
    if not stat.S_ISREG(status.st_mode):
        raise ConversionError("a source is not a regular file")
    if status.st_size > MAX_SOURCE_BYTES:
        raise ConversionError(f"a source is larger than {MAX_SOURCE_BYTES} bytes")
    return status.st_size


def read_source(path: Path) -> bytes:
    """The bytes of a source.

    Raises:
        ConversionError: as `source_size`.
    """
    size = source_size(path)
    try:
        with path.open("rb") as file:
            return file.read(size)
    except OSError as error:
        raise ConversionError(f"a source cannot be read: {error.strerror}") from error


def one_source(sources: tuple[Path, ...]) -> Path:
    """The only source.

    Raises:
        ConversionError: there is none, or more than one.
    """
    if len(sources) != 1:
        raise ConversionError(f"this converter takes 1 source, not {len(sources)}")
    return sources[0]
