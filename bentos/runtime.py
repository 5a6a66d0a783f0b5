"""The folder that the processes of a service share while it runs: locks, control sockets, metrics."""

from __future__ import annotations

import atexit
import fcntl
import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Final

from bentos.presence import hold

MEMORY: Final = "/dev/shm"  # noqa: S108 — we make a folder of our own there
"""Where Linux has a file system that lies in memory."""


RUNTIME: Final = "facesocial-"
OWNER: Final = "owner.lock"


def make_runtime() -> str:
    """A folder of mode 0700 that goes when this process ends; in memory, where there is such a place.

    Those of services that were killed go, too: nobody holds their lock any more.
    """
    place = MEMORY if os.access(MEMORY, os.W_OK) else tempfile.gettempdir()
    _sweep(Path(place))
    folder = tempfile.mkdtemp(prefix=RUNTIME, dir=place)
    lock = hold(Path(folder, "held"))
    Path(folder, "held").rename(Path(folder, OWNER))  # under this name only once it is locked
    owner = os.getpid()

    def clean() -> None:
        if os.getpid() == owner:
            shutil.rmtree(folder, ignore_errors=True)
        lock.close()  # only now: until then this folder is nobody's to sweep

    atexit.register(clean)
    return folder


def _sweep(place: Path) -> None:
    for lock in place.glob(f"{RUNTIME}*/{OWNER}"):
        with suppress(OSError), lock.open("ab") as file:  # another user's, gone meanwhile, or held
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(lock.parent, ignore_errors=True)
