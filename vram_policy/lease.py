"""The seam between those who run models and those who decide where: ask for a lease, get a session, give it back."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Final, Protocol, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from facesocial.errors import DeviceError
from vram_policy.footprint import Profile
from vram_policy.zones import Zone

Array: TypeAlias = NDArray[np.generic]

CPU: Final = "cpu"
"""The device that is always there."""


class Session(Protocol):
    """A loaded network."""

    def run(self, inputs: Sequence[Array]) -> dict[str, Array]:
        """One array per input, in the network's order → output name to array, in the network's order. Thread-safe.

        Raises:
            OutOfDeviceMemory, DeviceLost: the card failed, not the input.
        """
        ...

    def close(self) -> None:
        """Give back the memory it holds. Nobody runs it any more."""
        ...


class Loadable(Protocol):
    """A model that can be brought onto a device. `tag` identifies it; `zone` and `pin` are the policy's input."""

    @property
    def tag(self) -> str:
        """Name and digest."""
        ...

    @property
    def zone(self) -> Zone:
        """Whose guarantee it counts against."""
        ...

    @property
    def pin(self) -> bool:
        """Never evicted."""
        ...

    def profile(self, card: str) -> Profile:
        """What it takes and costs on cards of this name: measured, or an upper estimate."""
        ...

    def open(self, device: str) -> Session:
        """Load the model onto `device` (`cpu`, `cuda:0`, …). Slow.

        Raises:
            OutOfDeviceMemory, DeviceLost: the card has no room, or is broken.
            ModelIntegrityError: the file cannot be loaded anywhere.
        """
        ...

    def warm(self, session: Session) -> None:
        """Run every shape once that will ever be asked of `session`, so that it takes its memory now.

        Raises:
            OutOfDeviceMemory, DeviceLost: as `open`.
        """
        ...


_numbers = itertools.count(1)


class Lease:
    """The right to use a session until it ends: at the end of the `with` block, when the work ends.

    A handler that timed out leaves its work running, and the lease with it.
    """

    def __init__(self, session: Session, device: str, ended: Callable[[Lease], None] = lambda _: None) -> None:
        self.id: Final = next(_numbers)
        self.session: Final = session
        self.device: Final = device
        """Where the session really runs."""
        self._ended = ended
        self._lock = threading.Lock()
        self._over = False

    def end(self) -> None:
        """Give it back; a second time is nothing."""
        with self._lock:
            over, self._over = self._over, True
        if not over:
            self._ended(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.end()


class Arbiter(Protocol):
    """Decides where a model runs, now."""

    def lease(self, model: Loadable, rows: int = 1) -> Lease:
        """A session for `model`, at once, to run so many items; it stays loaded at least until the lease ends."""
        ...

    def failover(self, lease: Lease, error: DeviceError) -> Lease:
        """The card failed while `lease` was used: end it, do what the error asks for, and give a CPU session.

        Raises:
            DeviceError: the same, when the lease was one on the CPU.
        """
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

    def lease(self, model: Loadable, rows: int = 1) -> Lease:  # noqa: ARG002 — the CPU counts nothing
        """Single-flight: callers that meet a load in progress wait for it; a failed load is tried again by the next."""
        return Lease(self._sessions.get(model.tag) or self._open(model), CPU)

    def failover(self, lease: Lease, error: DeviceError) -> Lease:
        """See `Arbiter.failover`: there is nothing behind the CPU."""
        lease.end()
        raise error

    def holds(self, tag: str) -> bool:
        """Whether the model of this tag is loaded."""
        return tag in self._sessions

    def retire(self, tag: str) -> None:
        """See `Arbiter.retire`; a lease keeps its session alive by itself."""
        self._sessions.pop(tag, None)

    def _open(self, model: Loadable) -> Session:
        with self._lock:
            opening = self._opening.setdefault(model.tag, threading.Lock())
        with opening:
            session = self._sessions.get(model.tag)
            if session is None:
                session = self._sessions[model.tag] = model.open(CPU)
            return session  # it may have been retired meanwhile
