"""Where loads and unloads run: threads of their own, never those that answer requests."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Protocol, TypeAlias

import structlog

from vram_policy.ledger import LOADS

log = structlog.get_logger(__name__)

Job: TypeAlias = Iterator[float]
"""Work in steps; between two it wants to wait so many seconds."""


class Loader(Protocol):
    """Runs jobs to their end, side by side."""

    def start(self, job: Job) -> None:
        """Begin; returns at once."""
        ...

    def close(self) -> None:
        """Let running jobs end and start no more."""
        ...


class ThreadLoader:
    """As many threads as loads may run at once."""

    def __init__(self, threads: int = LOADS) -> None:
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="vram-loader")
        self._closed = threading.Event()

    def start(self, job: Job) -> None:
        """See `Loader.start`."""
        if not self._closed.is_set():
            with suppress(RuntimeError):  # closed meanwhile
                self._threads.submit(self._run, job)

    def close(self) -> None:
        """See `Loader.close`; waits no longer than the step that runs, for a load cannot be interrupted."""
        self._closed.set()
        self._threads.shutdown(wait=True, cancel_futures=True)

    def _run(self, job: Job) -> None:
        try:
            for pause in job:
                if self._closed.wait(pause):
                    return
        except Exception:  # a job answers for its own errors: this one is a defect, and must not die unseen
            log.exception("a job of the card's loader failed")
