"""The simulated card as a policy sees it: who is on it, in which state, and what may be given out now."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum

from vram_policy.simulation.trace import SimulatedModel


class State(IntEnum):
    """Of a model. Everything but ABSENT and WAITING is charged; WAITING is charged as soon as it fits."""

    ABSENT = 0
    WAITING = 1
    LOADING = 2
    READY = 3
    UNLOADING = 4


def settled(models: Sequence[SimulatedModel], budget: int) -> list[int]:
    """The critical models, who are there from the start and stay: as many as fit, in order."""
    found = []
    for index, model in enumerate(models):
        if model.zone == "critical" and model.bytes <= budget:
            found.append(index)
            budget -= model.bytes
    return found


class Card:
    """Bytes and states, models by their index in the trace.

    Attributes:
        state: of each model.
        ready: when each became ready, seconds.
        used: when each was last asked for, seconds.
        held: until when a run on the card holds each, seconds.
        charged: bytes that are taken, those of models that unload among them.
    """

    def __init__(self, models: Sequence[SimulatedModel], budget: int) -> None:
        self.models = models
        self.budget = budget
        self.state = [State.ABSENT] * len(models)
        self.ready = [0.0] * len(models)
        self.used = [0.0] * len(models)
        self.held = [0.0] * len(models)
        self.charged = 0
        self.waiting = 0
        self.leaving = 0

    @property
    def free(self) -> int:
        """Bytes that may be given out now: what waits has a claim, first on what is leaving."""
        return self.budget - self.charged - max(0, self.waiting - self.leaving)

    def evictable(self, now: float, residency: float = 0.0) -> list[int]:
        """Models that may leave by the card's rules: ready, held by no run, not pinned, not critical, old enough."""
        return [
            index
            for index, state in enumerate(self.state)
            if state is State.READY
            and self.held[index] <= now
            and now - self.ready[index] >= residency
            and self.models[index].zone != "critical"
            and not self.models[index].pin
        ]

    def move(self, model: int, state: State) -> None:
        """Change a state, and the sums that follow from it."""
        size = self.models[model].bytes
        for old_or_new, sign in ((self.state[model], -1), (state, 1)):
            self.charged += sign * size * (old_or_new >= State.LOADING)
            self.waiting += sign * size * (old_or_new is State.WAITING)
            self.leaving += sign * size * (old_or_new is State.UNLOADING)
        self.state[model] = state
        if self.charged > self.budget:
            raise AssertionError(f"{self.charged} bytes are charged of {self.budget}")
