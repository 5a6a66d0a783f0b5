"""Takes one file, or every file that is known, out of a zip pack."""

from __future__ import annotations

import hashlib
import stat
import zipfile
import zlib
from collections.abc import Container
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Final

from facesocial.errors import ModelIntegrityError

CHUNK: Final = 1 << 20
MAX_ENTRIES: Final = 10_000
MAX_UNPACKED: Final = 2 << 30
"""Bytes of all entries together that `sift` looks at; InsightFace's largest pack has 0.4 GB."""

_UNREADABLE: Final = (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, zlib.error)


def extract(archive: Path, member: str, target: Path, limit: int) -> None:
    """Writes the one entry called `member`, in whichever folder, to `target`; the zip's paths are never used.

    Args:
        archive: a zip file.
        member: file name without folder.
        target: replaced when the entry is out in full.
        limit: most bytes the entry may have, declared and real.

    Raises:
        ModelIntegrityError: no zip, not exactly one such entry, a link, encrypted, or too large.
    """
    part = target.with_name(target.name + ".part")
    try:
        with zipfile.ZipFile(archive) as bundle:
            entry = _entry(bundle, member, limit)
            written = 0
            with bundle.open(entry) as source, part.open("wb") as out:
                while chunk := source.read(CHUNK):
                    written += len(chunk)
                    if written > limit:
                        raise ModelIntegrityError(f"{member} in the zip is larger than {limit} bytes")
                    out.write(chunk)
        part.replace(target)
    except _UNREADABLE as error:
        raise ModelIntegrityError(f"the zip that should hold {member} cannot be read") from error
    finally:
        part.unlink(missing_ok=True)


def sift(archive: BinaryIO, known: Container[str], folder: Path) -> list[str]:
    """Writes every entry whose sha256 is known to `folder`, named by it; the zip's paths are never used.

    Args:
        archive: a zip file.
        known: digests in hexadecimal.
        folder: exists.

    Returns:
        The file names, without folder, of the entries that were left out.

    Raises:
        ModelIntegrityError: no zip, a link or an encrypted entry, too many entries or bytes, declared or real.
    """
    part, left_out, budget = folder / "part", [], MAX_UNPACKED
    try:
        with zipfile.ZipFile(archive) as bundle:
            for entry in _files(bundle):
                digest = hashlib.sha256()
                with bundle.open(entry) as source, part.open("wb") as out:
                    while chunk := source.read(CHUNK):
                        budget -= len(chunk)
                        if budget < 0:
                            raise ModelIntegrityError(f"the zip holds more than {MAX_UNPACKED} bytes")
                        digest.update(chunk)
                        out.write(chunk)
                if digest.hexdigest() in known:
                    part.replace(folder / digest.hexdigest())
                else:
                    left_out.append(PurePosixPath(entry.filename).name)
    except _UNREADABLE as error:
        raise ModelIntegrityError("the zip cannot be read") from error
    finally:
        part.unlink(missing_ok=True)
    return left_out


def _files(bundle: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    files = [entry for entry in bundle.infolist() if not entry.is_dir()]
    if len(files) > MAX_ENTRIES:
        raise ModelIntegrityError(f"the zip holds more than {MAX_ENTRIES} entries")
    if sum(entry.file_size for entry in files) > MAX_UNPACKED:
        raise ModelIntegrityError(f"the zip holds more than {MAX_UNPACKED} bytes")
    for entry in files:
        _refuse_special(entry, PurePosixPath(entry.filename).name)
    return files


def _refuse_special(entry: zipfile.ZipInfo, name: str) -> None:
    if stat.S_ISLNK(entry.external_attr >> 16) or entry.flag_bits & 1:
        raise ModelIntegrityError(f"{name} in the zip is a link or encrypted")


def _entry(bundle: zipfile.ZipFile, member: str, limit: int) -> zipfile.ZipInfo:
    entries = bundle.infolist()
    if len(entries) > MAX_ENTRIES:
        raise ModelIntegrityError(f"the zip holds more than {MAX_ENTRIES} entries")
    found = [entry for entry in entries if PurePosixPath(entry.filename).name == member and not entry.is_dir()]
    if len(found) != 1:
        raise ModelIntegrityError(f"the zip holds {len(found)} entries called {member} instead of one")
    entry = found[0]
    _refuse_special(entry, member)
    if entry.file_size > limit:
        raise ModelIntegrityError(f"{member} in the zip is larger than {limit} bytes")
    return entry
