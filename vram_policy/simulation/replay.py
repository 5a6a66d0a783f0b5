"""A trace against a policy, event by event, under the miss rule.

The miss rule: nobody waits for a load; the CPU answers meanwhile; at most two loads at once; a load begins only when
the memory of those who leave is really free; what unloads stays charged. A critical model is there from the start.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from vram_policy.plan import Rules
from vram_policy.simulation.card import Card, State, settled
from vram_policy.simulation.policies import Contestant, Policy
from vram_policy.simulation.trace import Task, Trace
from vram_policy.zones import RANK

LOADERS: Final = 2
CORES: Final = 8
GPU_THREADS: Final = 2

LIMITS: Final[Mapping[Task, tuple[float, float]]] = {
    "detection": (0.1, 0.3),
    "recognition": (0.2, 0.5),
    "liveness": (0.15, 0.4),
    "deepfake": (2.0, 5.0),
    "demographics": (0.2, 0.5),
}
"""Seconds on the card and on the CPU, by the overview; it names none for demographics, which get recognition's."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a replay gave.

    Attributes:
        requests: in all, and of them `on_card` by the card, `within` inside the overview's latencies.
        saved: CPU-seconds by answers on the card.
        spent: CPU-seconds on loads.
        mean: latency, and its 95th percentile `p95`, seconds.
        loads: begun; `moved` bytes by them.
        upward: victims of a higher zone than the newcomer's.
        young: victims younger than the minimum residency.
        residencies: (model, ready, left) of each stay on the card, seconds.
    """

    requests: int
    on_card: int
    within: int
    saved: float
    spent: float
    mean: float
    p95: float
    loads: int
    moved: int
    upward: int
    young: int
    residencies: Sequence[tuple[int, float, float]] = field(repr=False)

    @property
    def net(self) -> float:
        """Net benefit, CPU-seconds."""
        return self.saved - self.spent


def replay(trace: Trace, budget: int, contestant: Contestant) -> Outcome:
    """What the policy makes of the trace on a card that leaves `budget` bytes for models."""
    return _Replay(trace, budget, contestant(trace, budget)).run()


class _Replay:
    def __init__(self, trace: Trace, budget: int, policy: Policy) -> None:
        self._trace = trace
        self._policy = policy
        self._card = Card(trace.models, budget)
        self._events: list[tuple[float, int]] = []  # a load or an unload ends
        self._queue: list[int] = []
        self._loading = 0
        self._cores = [0.0] * CORES
        self._threads = [0.0] * GPU_THREADS
        self._saved = self._spent = 0.0
        self._loads = self._moved = self._upward = self._young = 0
        self._residencies: list[tuple[int, float, float]] = []
        for index in settled(trace.models, budget):
            self._card.move(index, State.READY)

    def run(self) -> Outcome:
        latencies = np.empty(len(self._trace.times))
        limits = np.empty(len(latencies))
        on_card = 0
        requests = zip(self._trace.times.tolist(), self._trace.asked.tolist(), strict=True)
        for number, (now, model) in enumerate(requests):
            self._advance(now)
            self._policy.asked(model, now)
            self._card.used[model] = now
            there = self._card.state[model] is State.READY
            on_card += there
            latencies[number] = self._on_card(model, now) if there else self._on_cpu(model, now)
            limits[number] = LIMITS[self._trace.models[model].task][0 if there else 1]
            for tired in self._policy.tired(now, self._card):
                self._evict(tired, now)
        self._advance(self._trace.duration)
        for model, state in enumerate(self._card.state):
            if state is State.READY:
                self._residencies.append((model, self._card.ready[model], self._trace.duration))
        return Outcome(
            requests=len(latencies),
            on_card=on_card,
            within=int((latencies <= limits).sum()),
            saved=self._saved,
            spent=self._spent,
            mean=float(latencies.mean()) if len(latencies) else 0.0,
            p95=float(np.percentile(latencies, 95)) if len(latencies) else 0.0,
            loads=self._loads,
            moved=self._moved,
            upward=self._upward,
            young=self._young,
            residencies=tuple(self._residencies),
        )

    def _on_card(self, model: int, now: float) -> float:
        costs = self._trace.models[model].costs
        end = max(now, self._threads[0]) + costs.gpu
        heapq.heapreplace(self._threads, end)
        self._card.held[model] = max(self._card.held[model], end)
        self._saved += costs.cpu
        self._policy.served(model)
        return end - now

    def _on_cpu(self, model: int, now: float) -> float:
        latency = self._compute(self._trace.models[model].costs.cpu, now)
        if self._card.state[model] is State.ABSENT and self._loading + len(self._queue) < LOADERS:
            victims = self._policy.missed(model, now, self._card)
            if victims is not None:
                for victim in victims:
                    self._upward += RANK[self._trace.models[victim].zone] > RANK[self._trace.models[model].zone]
                    self._young += now - self._card.ready[victim] < Rules().residency
                    self._evict(victim, now)
                self._card.move(model, State.WAITING)
                self._queue.append(model)
                self._begin(now)
        return latency

    def _compute(self, seconds: float, now: float) -> float:
        end = max(now, self._cores[0]) + seconds
        heapq.heapreplace(self._cores, end)
        return end - now

    def _evict(self, model: int, now: float) -> None:
        if model not in self._card.evictable(now):
            raise AssertionError(f"{self._trace.models[model].tag} may not leave")
        self._policy.left(model)
        self._residencies.append((model, self._card.ready[model], now))
        self._card.move(model, State.UNLOADING)
        heapq.heappush(self._events, (now + self._trace.models[model].costs.unload, model))

    def _begin(self, now: float) -> None:
        """Start the loads for which there is memory."""
        for model in tuple(self._queue):
            one = self._trace.models[model]
            if one.bytes <= self._card.budget - self._card.charged:
                self._queue.remove(model)
                self._loading += 1
                self._loads += 1
                self._moved += one.bytes
                self._spent += one.costs.load_cpu
                self._compute(one.costs.load_cpu, now)
                self._policy.loading(model)
                self._card.move(model, State.LOADING)
                heapq.heappush(self._events, (now + one.costs.load, model))

    def _advance(self, now: float) -> None:
        """Let happen what ends until `now`."""
        while self._events and self._events[0][0] <= now:
            moment, model = heapq.heappop(self._events)
            if self._card.state[model] is State.LOADING:
                self._loading -= 1
                self._card.ready[model] = moment
                self._card.move(model, State.READY)
            else:
                self._card.move(model, State.ABSENT)
            self._begin(moment)
