"""Takes one file out of a zip pack."""

from __future__ import annotations

import stat
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import Final

from facesocial.errors import ModelIntegrityError

CHUNK: Final = 1 << 20
MAX_ENTRIES: Final = 10_000


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
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, zlib.error) as error:
        raise ModelIntegrityError(f"the zip that should hold {member} cannot be read") from error
    finally:
        part.unlink(missing_ok=True)


def _entry(bundle: zipfile.ZipFile, member: str, limit: int) -> zipfile.ZipInfo:
    entries = bundle.infolist()
    if len(entries) > MAX_ENTRIES:
        raise ModelIntegrityError(f"the zip holds more than {MAX_ENTRIES} entries")
    found = [entry for entry in entries if PurePosixPath(entry.filename).name == member and not entry.is_dir()]
    if len(found) != 1:
        raise ModelIntegrityError(f"the zip holds {len(found)} entries called {member} instead of one")
    entry = found[0]
    if stat.S_ISLNK(entry.external_attr >> 16) or entry.flag_bits & 1:
        raise ModelIntegrityError(f"{member} in the zip is a link or encrypted")
    if entry.file_size > limit:
        raise ModelIntegrityError(f"{member} in the zip is larger than {limit} bytes")
    return entry
