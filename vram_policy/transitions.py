"""Loads and unloads, step by step, in the loader's threads. What the card says decides, not what we hoped."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final, Protocol

import structlog

from facesocial.errors import DeviceLost, FaceSocialError, OutOfDeviceMemory
from vram_policy.card import Card
from vram_policy.ledger import Ledger, Residency, State
from vram_policy.loader import Job, Loader

log = structlog.get_logger(__name__)

LOOK_SECONDS: Final = 0.01
"""Between two looks at whether closed memory is free."""

RELEASE_SECONDS: Final = 5.0
"""After which memory that is still held counts as leaked, and until which closed memory may still be on its way."""


class Watcher(Protocol):
    """Is told how each transition ended, under the lock."""

    def arrived(self, entry: Residency, taken: int | None) -> None:
        """It is ready; `taken`: bytes by the card's own numbers, None when another load ran beside it."""
        ...

    def make_room(self, entry: Residency) -> bool:
        """The card had no room for it: make others leave; False: nobody may."""
        ...

    def left(self, entry: Residency, leaked: int) -> None:
        """It is gone, but for `leaked` bytes."""
        ...

    def failed(self, entry: Residency, error: Exception) -> None:
        """It did not arrive."""
        ...

    def lost(self, error: DeviceLost) -> None:
        """Nothing will run on the card any more."""
        ...


class Transitions:
    """Starts what the ledger says may begin, and carries it out.

    Args:
        changed: the arbiter's lock; notified after every change.
        context: bytes that the process takes of the card before any model.
        clock: seconds.
    """

    def __init__(
        self,
        card: Card,
        ledger: Ledger,
        changed: threading.Condition,
        loader: Loader,
        watcher: Watcher,
        context: int,
        clock: Callable[[], float],
    ) -> None:
        self._card = card
        self._ledger = ledger
        self._changed = changed
        self._loader = loader
        self._watcher = watcher
        self._context = context
        self._clock = clock
        self._closed_at = float("-inf")

    def advance(self) -> None:
        """Start every job that may run now. The lock is held."""
        while entry := self._ledger.begin():
            self._loader.start(self._unload(entry) if entry.state is State.UNLOADING else self._load(entry))
        self._changed.notify_all()

    def _load(self, entry: Residency) -> Job:
        try:
            with self._changed:
                before, begun = self._card.memory(), self._alone(entry)
                if before.free < entry.charged:
                    raise OutOfDeviceMemory("a second program took the memory meanwhile")
            entry.session = self._card.open(entry.model)
            with self._changed:
                entry.state = State.WARMING
            yield 0.0
            entry.model.warm(entry.session)
            after = self._card.memory()
        except DeviceLost as error:
            with self._changed:
                self._watcher.lost(error)
                self._give_up(entry, error)
        except OutOfDeviceMemory as error:
            self._make_room(entry, error)
        except Exception as error:
            if not isinstance(error, FaceSocialError):
                log.exception("a model cannot be loaded onto the card", model=entry.tag)
            with self._changed:
                self._give_up(entry, error)
        else:
            with self._changed:
                alone = before.own and after.exact and begun is not None and begun == self._alone(entry)
                taken = after.own - before.own if alone else None
                self._ledger.arrive(entry, self._clock())
                self._watcher.arrived(entry, taken)
                self.advance()

    def _unload(self, entry: Residency) -> Job:
        self._close(entry)
        give_up = self._clock() + RELEASE_SECONDS
        while True:
            try:
                memory = self._card.memory()
            except DeviceLost as error:
                with self._changed:
                    self._watcher.lost(error)
                    return
            with self._changed:
                rest = max(0, memory.own - self._context - (self._ledger.held - entry.charged))
                late = self._clock() >= give_up
                if not rest or late:
                    leaked = min(rest, entry.charged) if memory.exact else 0  # it may be another program's
                    self._leave(entry, leaked)
                    return
            yield LOOK_SECONDS

    def _leave(self, entry: Residency, leaked: int) -> None:
        heir = entry if entry.again else entry.heir
        enough = self._ledger.release(entry, leaked)
        if heir is not entry:
            self._watcher.left(entry, leaked)
        if heir and not enough:
            self._ledger.drop(heir)
            self._watcher.failed(heir, OutOfDeviceMemory("those who left did not give back enough"))
        self.advance()

    def _alone(self, entry: Residency) -> int | None:
        """Which job this is, when the card's numbers tell what this load alone takes: nothing else is on its way."""
        settled = self._clock() - self._closed_at >= RELEASE_SECONDS and not self._ledger.leaked
        others = any(other.begun for other in self._ledger if other is not entry)
        return self._ledger.jobs if settled and not others else None

    def _close(self, entry: Residency) -> None:
        """What it does not give back, the card will tell."""
        session, entry.session = entry.session, None
        self._closed_at = self._clock()
        try:
            if session:
                session.close()
        except Exception:
            log.exception("a session of the card cannot be closed", model=entry.tag)

    def _make_room(self, entry: Residency, error: OutOfDeviceMemory) -> None:
        """Have the idle leave and try once more; then no more."""
        with self._changed:
            first = not entry.tried and not entry.doomed
            entry.again = first and self._watcher.make_room(entry)
            entry.tried = True
            log.warning("the card has no room", model=entry.tag, again=entry.again)
            if entry.again:
                self._ledger.retreat(entry)
                self.advance()
            else:
                self._give_up(entry, error)

    def _give_up(self, entry: Residency, error: Exception) -> None:
        """What it took is charged until the card says that it is free. Under the lock."""
        self._ledger.retreat(entry)
        self._watcher.failed(entry, error)
        self.advance()
