"""A card that is not there: it has memory and faults, and its sessions are CPU sessions. Never called `cuda`."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from facesocial.errors import DeviceLost, OutOfDeviceMemory
from vram_policy.card import Memory
from vram_policy.lease import CPU, Array, Loadable, Session
from vram_policy.neighbours import Neighbours, Nobody

NAME: Final = "simulated"

Moment: TypeAlias = tuple[Literal["load", "run"], int]
"""The n-th load or run on this card, counted from 1."""


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How the card differs from an ideal one.

    Attributes:
        load_speed: bytes a second; a load takes at least so long. None: no longer than the CPU session takes to open.
        lag: seconds from closing a session until its memory is free.
        leak: share of its memory that a closed session keeps.
        oom_at: where it has no memory, whatever it has.
        stickiness: the run at which its context is poisoned; every call from then on fails.
        context: bytes that a process takes with its first session.
    """

    load_speed: float | None = None
    lag: float = 0.0
    leak: float = 0.0
    oom_at: Collection[Moment] = ()
    stickiness: int | None = None
    context: int = 0


class SimulatedGpu:
    """A `Card` of `total` bytes. Thread-safe.

    Args:
        truth: bytes that a model really takes; its profile's peak unless told otherwise.
        neighbours: what other processes take of it.
    """

    def __init__(
        self,
        total: int,
        behaviour: Behaviour | None = None,
        *,
        index: int = 0,
        truth: Callable[[Loadable], int] = lambda model: model.profile(NAME).footprint.peak,
        neighbours: Neighbours | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self.device: Final = f"simulated:{index}"
        self.name: Final = NAME
        self._total = total
        self._behaviour = behaviour or Behaviour()
        self._truth = truth
        self._neighbours = neighbours or Nobody()
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._context = self._held = 0
        self._going: list[tuple[float, int]] = []
        self._loads = self._runs = 0
        self._lost = False
        self.peak = 0
        """The most that this process ever used, bytes."""
        self.other = 0
        """What a second program takes, bytes; the neighbours' share comes on top."""

    def memory(self) -> Memory:
        """See `Card.memory`."""
        with self._lock:
            own = self._tell()
            return Memory(self._total, self._total - own - self._others(), own)

    def open(self, model: Loadable) -> Session:
        """See `Card.open`: the CPU session, charged to the card."""
        size = self._truth(model)
        with self._lock:
            self._loads += 1
            self._check("load", self._loads)
            self._context = self._behaviour.context
            if self._own() + size + self._others() > self._total:
                raise OutOfDeviceMemory("the simulated card is full")
            self._held += size
            self._tell()
        try:
            if self._behaviour.load_speed:
                self._sleep(size / self._behaviour.load_speed)
            session = model.open(CPU)
        except BaseException:
            self.give_back(size)
            raise
        return SimulatedSession(session, self, size)

    def run(self, work: Callable[[], dict[str, Array]]) -> dict[str, Array]:
        """What a session of this card does, unless the card fails.

        Raises:
            OutOfDeviceMemory, DeviceLost: its behaviour wants it.
        """
        with self._lock:
            self._runs += 1
            if self._behaviour.stickiness is not None and self._runs >= self._behaviour.stickiness:
                self._lost = True
            self._check("run", self._runs)
        return work()

    def give_back(self, size: int) -> None:
        """A session was closed: its memory is free after the lag, but for what leaks."""
        with self._lock:
            freed = size - int(size * self._behaviour.leak)
            self._held -= freed
            self._going.append((self._clock() + self._behaviour.lag, freed))
            self._tell()

    def _check(self, kind: Literal["load", "run"], number: int) -> None:
        if self._lost:
            raise DeviceLost("the simulated card's context is poisoned")
        if (kind, number) in self._behaviour.oom_at:
            raise OutOfDeviceMemory("the simulated card was told to have no memory")

    def _own(self) -> int:
        now = self._clock()
        self._going = [(moment, size) for moment, size in self._going if moment > now]
        return self._context + self._held + sum(size for _, size in self._going)

    def _others(self) -> int:
        return self.other + self._neighbours.others()

    def _tell(self) -> int:
        """What this process takes; the neighbours hear of it, for memory that was on its way may be free now."""
        own = self._own()
        self.peak = max(self.peak, own)
        self._neighbours.tell(own)
        return own


class SimulatedSession:
    """A CPU session that is charged to the card."""

    def __init__(self, session: Session, card: SimulatedGpu, size: int) -> None:
        self._session = session
        self._card = card
        self._size = size

    @property
    def inner(self) -> Session:
        """The CPU session, for those who warm it."""
        return self._session

    def run(self, inputs: Sequence[Array]) -> dict[str, Array]:
        """See `Session.run`."""
        return self._card.run(lambda: self._session.run(inputs))

    def close(self) -> None:
        """See `Session.close`."""
        self._session.close()
        size, self._size = self._size, 0
        self._card.give_back(size)
