"""The bound of design §3: what no policy under the miss rule can pass, by a price for memory. For any number of models.

For any price λ(t) ≥ 0 of a byte for a second,

    bound = room · ∫λ + Σ over models of max over schedules of (gain − loads · cost − bytes · ∫λ over the charged time)

Any policy's schedule charges at most `room` bytes at every moment, so what it pays for memory is at most room · ∫λ; and
each model's part of it is one of the schedules that the maximum is taken over. So the bound holds for every λ; a
projected subgradient looks for a low one. A schedule is charged from the start of a load until its unload ends, and
answers nothing while it loads; a load may begin at any time, so the bound holds for policies that load ahead, too.
Critical models are there throughout: their bytes are taken off the room, their gain is certain.

λ is constant over buckets of time. `optimum` is tighter where it can be computed: here a fraction of a model may fit.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from vram_policy.simulation.card import settled
from vram_policy.simulation.trace import SimulatedModel, Trace

BUCKET: Final = 120.0
STEPS: Final = 60

Floats = NDArray[np.float64]


def bound(trace: Trace, budget: int, bucket: float = BUCKET, steps: int = STEPS, aim: float | None = None) -> float:
    """The lowest bound found, CPU-seconds.

    Args:
        trace: requests.
        budget: bytes.
        bucket: seconds over which λ is constant.
        steps: of the subgradient; more can only lower the result.
        aim: a value that the bound cannot pass, where one is known: it sets the length of the steps, nothing else.
    """
    critical = settled(trace.models, budget)
    room = budget - sum(trace.models[index].bytes for index in critical)
    certain = float(trace.gains[trace.asked][np.isin(trace.asked, critical)].sum())
    edges = np.append(np.arange(0, trace.duration, bucket), trace.duration)
    schedules = [
        _Schedules(model, trace.of(index), trace.duration)
        for index, model in enumerate(trace.models)
        if index not in critical and model.bytes <= room
    ]
    return certain + _lowest(schedules, room, edges, steps, None if aim is None else aim - certain)


def _lowest(schedules: list[_Schedules], room: int, edges: Floats, steps: int, aim: float | None) -> float:
    lengths = np.diff(edges)
    price = np.full(len(lengths), _fair(schedules, room, float(edges[-1])))
    best, reach = np.inf, 1.0
    for _ in range(steps):
        paid = np.concatenate([[0.0], np.cumsum(price * lengths)])
        value = room * paid[-1]
        slack = room * lengths
        for one in schedules:
            gain, charged = one.best(edges, paid)
            value += gain
            slack -= one.model.bytes * charged
        reach = reach * 1.1 if value < best else reach / 2
        best = min(best, float(value))
        length = float((slack**2).sum())
        if length == 0:
            break
        price = np.maximum(0.0, price - reach * (value - (0.95 * best if aim is None else aim)) / length * slack)
    return best


def _fair(schedules: list[_Schedules], room: int, duration: float) -> float:
    """The price at which those who are always worth it just fill the room."""
    worth = sorted(((one.total / one.model.bytes, one.model.bytes) for one in schedules), reverse=True)
    for density, size in worth:
        room -= size
        if room < 0:
            return density / duration
    return 0.0


class _Schedules:
    """All schedules of one model; which is best depends on the price."""

    def __init__(self, model: SimulatedModel, times: Floats, duration: float) -> None:
        self.model = model
        self.total = len(times) * model.costs.cpu
        self._times = times
        self._begins = times - model.costs.load
        self._ends = np.minimum(times + model.costs.unload, duration)
        self._before = (np.searchsorted(self._ends, self._begins, side="right") - 1).tolist()

    def best(self, edges: Floats, paid: Floats) -> tuple[float, Floats]:
        """Value of the best schedule, and how long it is charged in each bucket, seconds.

        Args:
            edges: of the buckets.
            paid: what a byte has cost until each edge.
        """
        if not len(self._times):
            return 0.0, np.zeros(len(edges) - 1)
        size, costs = self.model.bytes, self.model.costs
        at = size * np.interp(self._times, edges, paid)
        begin = (size * np.interp(self._begins, edges, paid) - at - costs.load_cpu).tolist()
        end = (at - size * np.interp(self._ends, edges, paid)).tolist()
        stay = np.diff(at, prepend=0.0).tolist()
        absent: list[float] = []  # best value of having left until each request
        leaver: list[int] = []  # after which request that was, −1 for never there
        kept: list[bool] = []
        top, who, there = 0.0, -1, -np.inf
        for number, before in enumerate(self._before):
            come = (absent[before] if before >= 0 else 0.0) + begin[number]
            keep = there - stay[number]
            kept.append(keep >= come)
            there = costs.cpu + (max(keep, come))
            if self._begins[number] < 0 and not kept[-1]:
                there = -np.inf
            if there + end[number] > top:
                top, who = there + end[number], number
            absent.append(top)
            leaver.append(who)
        return top, self._charged(edges, leaver, kept)

    def _charged(self, edges: Floats, leaver: list[int], kept: list[bool]) -> Floats:
        charged = np.zeros(len(edges) - 1)
        last = leaver[-1]
        while last >= 0:
            first = last
            while kept[first]:
                first -= 1
            charged += np.diff(np.clip(edges, self._begins[first], self._ends[last]))
            before = self._before[first]
            last = leaver[before] if before >= 0 else -1
        return charged
