"""How several processes share one simulated card: each holds a locked file that says what it takes of it.

As with a driver, what a process held is free when it is gone, by kill -9 too: the kernel lets go of its lock. A second
program, for a test, is one more such file.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Protocol


class Neighbours(Protocol):
    """Who else is on the card."""

    def tell(self, own: int) -> None:
        """What this process takes now, bytes."""
        ...

    def others(self) -> int:
        """What the others take now, bytes."""
        ...


class Nobody:
    """The process has the card to itself."""

    def tell(self, own: int) -> None:
        """See `Neighbours.tell`."""

    def others(self) -> int:
        """See `Neighbours.others`."""
        return 0


class Files:
    """One file for each process in `folder`, which all of them know; `card` tells cards apart."""

    def __init__(self, folder: Path, card: int) -> None:
        self._pattern = f"card{card}-*"
        self._file = folder / f"card{card}-{os.getpid()}-{id(self)}"
        hidden = self._file.with_name(f".{self._file.name}")  # until it is locked: unlocked ones are removed
        self._handle = hidden.open("w+b", buffering=0)
        fcntl.flock(self._handle, fcntl.LOCK_EX)
        hidden.rename(self._file)

    def tell(self, own: int) -> None:
        """See `Neighbours.tell`."""
        os.pwrite(self._handle.fileno(), own.to_bytes(8, "little"), 0)

    def others(self) -> int:
        """See `Neighbours.others`; the files of those who are gone are removed."""
        return sum(_held(file) for file in self._file.parent.glob(self._pattern) if file != self._file)

    def close(self) -> None:
        """Take nothing any more."""
        self._handle.close()


def _held(file: Path) -> int:
    try:
        with file.open("rb") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return int.from_bytes(handle.read(8), "little")
            file.unlink(missing_ok=True)
    except FileNotFoundError:
        pass
    return 0
