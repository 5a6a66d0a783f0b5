"""Models and sessions that do what they are told."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from vram_policy.footprint import Costs, Footprint, Profile
from vram_policy.lease import Array, Session
from vram_policy.zones import Zone

INPUT: Sequence[Array] = (np.zeros(1),)


def nothing() -> None:
    """What happens when nobody says otherwise."""


@dataclass
class FakeSession:
    """Answers its device; `first` may wait or raise."""

    device: str
    first: Callable[[], None] = nothing
    runs: int = 0
    closed: int = 0

    def run(self, inputs: Sequence[Array]) -> dict[str, Array]:
        """Count."""
        self.first()
        self.runs += 1
        return {"device": np.array(self.device)}

    def close(self) -> None:
        """Count."""
        self.closed += 1


@dataclass
class FakeModel:
    """Takes `size` bytes of a card. A gate that is shut holds every `open` up; each failure is raised once."""

    tag: str = "model:1"
    zone: Zone = "high"
    pin: bool = False
    size: int = 100
    costs: Costs = field(default_factory=lambda: Costs(cpu=0.1, gpu=0.01, load=0.2, load_cpu=0.05))
    gate: threading.Event = field(default_factory=threading.Event)
    failures: list[Exception] = field(default_factory=list)
    opened: list[str] = field(default_factory=list)
    sessions: list[FakeSession] = field(default_factory=list)
    warmed: int = 0

    def __post_init__(self) -> None:
        self.gate.set()

    def profile(self, card: str) -> Profile:
        """Exactly `size`."""
        return Profile(Footprint(self.size, self.size, self.size), self.costs, measured=True)

    def open(self, device: str) -> Session:
        """Count, wait, maybe fail."""
        self.opened.append(device)
        assert self.gate.wait(30)
        if self.failures:
            raise self.failures.pop(0)
        self.sessions.append(FakeSession(device))
        return self.sessions[-1]

    def warm(self, session: Session) -> None:
        """Count."""
        self.warmed += 1
