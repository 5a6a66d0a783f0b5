"""The seam between those who run models and those who decide where: ask for a lease, get a session, give it back."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.generic]


class Session(Protocol):
    """A loaded network."""

    def run(self, inputs: Sequence[Array]) -> dict[str, Array]:
        """One array per input, in the network's order → output name to array, in the network's order. Thread-safe."""
        ...


class Loadable(Protocol):
    """A model that can be brought onto a device. `tag` identifies it; `zone` and `pin` are the policy's input."""

    @property
    def tag(self) -> str:
        """Name and digest."""
        ...

    @property
    def zone(self) -> Literal["critical", "high", "flexible"]:
        """Whose guarantee it counts against."""
        ...

    @property
    def pin(self) -> bool:
        """Never evicted."""
        ...

    def open(self, device: str) -> Session:
        """Load the model onto `device` (`cpu`, `cuda:0`, …). Slow; called once per residency."""
        ...


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to use a session until the `with` block ends. `device` is where it really runs."""

    session: Session
    device: str


class Arbiter(Protocol):
    """Decides where a model runs, now."""

    def lease(self, model: Loadable) -> AbstractContextManager[Lease]:
        """Give a session for `model`; it stays loaded at least until the block ends."""
        ...

    def retire(self, tag: str) -> None:
        """Unload the model of this tag as soon as no lease holds it: no new lease will be asked for."""
        ...


class CpuArbiter:
    """The arbiter of a machine without a GPU: every model gets one CPU session, opened on first use and kept."""

    def __init__(self) -> None:
        self._sessions: dict[str, Session] = {}
        self._opening: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()

    @contextmanager
    def lease(self, model: Loadable) -> Iterator[Lease]:
        """Single-flight: callers that meet a load in progress wait for it; a failed load is tried again by the next."""
        yield Lease(self._sessions.get(model.tag) or self._open(model), "cpu")

    def retire(self, tag: str) -> None:
        """See `Arbiter.retire`; a lease keeps its session alive by itself."""
        self._sessions.pop(tag, None)

    def _open(self, model: Loadable) -> Session:
        with self._lock:
            opening = self._opening.setdefault(model.tag, threading.Lock())
        with opening:
            if model.tag not in self._sessions:
                self._sessions[model.tag] = model.open("cpu")
            return self._sessions[model.tag]
