"""Whether an inner process is there: it holds a lock on a file while it lives, and the kernel lets go when it dies.

An HTTP call cannot tell: after kill -9 the listening socket stays open in the supervisor, and the next request hangs
until the process is back (11 s measured, BentoML 1.4.39).
"""

from __future__ import annotations

import asyncio
import fcntl
import threading
from collections.abc import Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, Final, TypeVar

from facesocial.errors import ProcessLost

T = TypeVar("T")

LOOK_SECONDS: Final = 0.05
"""Between two looks while nobody holds the lock. Its end needs no looking: the watcher waits for the lock itself."""


def hold(file: Path) -> BinaryIO:
    """Lock `file` until the process ends or the result is closed; waits while a predecessor still has it."""
    handle = file.open("ab")
    fcntl.flock(handle, fcntl.LOCK_EX)
    return handle


class Presence:
    """Watches one lock file from a thread of its own."""

    def __init__(self, file: Path, name: str) -> None:
        self.name = name
        self._file = file
        self._alive = False
        self._lock = threading.Lock()
        self._waiting: set[tuple[asyncio.AbstractEventLoop, asyncio.Future[None]]] = set()
        threading.Thread(target=self._watch, name=f"presence-{name}", daemon=True).start()

    @property
    def alive(self) -> bool:
        """Whether somebody holds the lock now."""
        return self._alive

    async def during(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of `work`, or at once, when the process is not there or goes:

        Raises:
            ProcessLost: `work` is cancelled then.
        """
        loop = asyncio.get_running_loop()
        gone: asyncio.Future[None] = loop.create_future()
        entry = (loop, gone)
        with self._lock:
            if not self._alive:
                work.close()
                raise self._lost()
            self._waiting.add(entry)
        task = asyncio.ensure_future(work)
        try:
            await asyncio.wait((task, gone), return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return task.result()
            raise self._lost()
        finally:
            task.cancel()
            with self._lock:
                self._waiting.discard(entry)

    def _lost(self) -> ProcessLost:
        return ProcessLost(f"{self.name}: its process is not there; it is started again")

    def _watch(self) -> None:
        pause = threading.Event()
        with self._file.open("ab") as handle:
            while True:
                try:
                    fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
                except BlockingIOError:
                    self._set(alive=True)
                    fcntl.flock(handle, fcntl.LOCK_SH)  # returns when the holder is gone
                    self._set(alive=False)
                fcntl.flock(handle, fcntl.LOCK_UN)
                pause.wait(LOOK_SECONDS)

    def _set(self, alive: bool) -> None:
        with self._lock:
            self._alive = alive
            waiting = () if alive else tuple(self._waiting)
        for loop, gone in waiting:
            with suppress(RuntimeError):  # its loop is closed: nobody waits any more
                loop.call_soon_threadsafe(_settle, gone)


def _settle(gone: asyncio.Future[None]) -> None:
    if not gone.done():
        gone.set_result(None)
