"""A process that gives back what its allocator keeps when it is told to, so that a test sees what is really held.

The service keeps the memory of pictures for the next ones (`facesocial/memory.py`): a hundred megabytes, in which a
leak could hide.
"""

from __future__ import annotations

import ctypes
import os
import signal
import time

from facesocial.memory import MMAP_THRESHOLD, TRIM_THRESHOLD, give_freed_pages
from tests.bentos import processes

TOLD = signal.SIGUSR1


def obey() -> None:
    """From now on; and with glibc's own thresholds, for it never trims the top of a thread's arena when it is told."""
    libc = ctypes.CDLL(None)
    for threshold in (TRIM_THRESHOLD, MMAP_THRESHOLD):
        assert libc.mallopt(threshold, 128 << 10)
    signal.signal(TOLD, lambda *_: give_freed_pages())


def resident(pid: int, *obedient: int) -> int:
    """Bytes of RSS of a process and all below it, after these of them have been told."""
    for process in obedient:
        os.kill(process, TOLD)
    time.sleep(0.5)
    return processes.resident(pid)
