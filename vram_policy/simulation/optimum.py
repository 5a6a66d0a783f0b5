"""The best schedule of loads that somebody who knows the whole trace could make: an upper bound for every policy.

Exact for a relaxed card, and so never below what a policy under the miss rule reaches, one that loads ahead of requests
among them. Relaxed are: zones, the minimum residency, the two loaders, and the time that unloading takes. Kept are: the
budget, at every moment and for whole models; the CPU-seconds of a load; and that a model is charged while it loads and
answers nothing. Critical models are there throughout, as the miss rule has it.

Why it is enough to look at few moments. Take any policy's schedule: stays on the card, each charged from the start of
its load. A stay that answers nothing may be left out. Let each other stay end just after the last request that it
answers, and let its load begin just after the last request, of whatever model, that still lets it be ready for the
first request that it answers: no answer is lost, no load added. Between two requests those who are charged are then
among those who were charged just before the second of them, so the budget holds still. Hence: a model leaves only after
a request of its own, and a load begins only after the one request that each of its own requests names; what is left is
the best path over the sets of models that fit, request by request.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Final

import numpy as np
from numpy.typing import NDArray

from vram_policy.simulation.card import settled
from vram_policy.simulation.trace import Trace

MODELS_MOST: Final = 16
"""2¹⁶ sets a request are the most that is worth waiting for."""


def optimum(trace: Trace, budget: int) -> float:
    """Net benefit of the best schedule, CPU-seconds: answers on the card less loads.

    Raises:
        ValueError: more models than can be searched.
    """
    critical = settled(trace.models, budget)
    room = budget - sum(trace.models[index].bytes for index in critical)
    certain = float(trace.gains[trace.asked][np.isin(trace.asked, critical)].sum())
    others = [index for index, model in enumerate(trace.models) if index not in critical and model.bytes <= room]
    if len(others) > MODELS_MOST:
        raise ValueError(f"{len(others)} models fit, {MODELS_MOST} can be searched")
    return certain + _Search(trace, others, room).best()


class _Search:
    """Best value of each set of models, after each request. Bit j of a set is `others[j]`."""

    def __init__(self, trace: Trace, others: list[int], room: int) -> None:
        self._trace = trace
        self._others = others
        kept = np.isin(trace.asked, others)
        position = {index: bit for bit, index in enumerate(others)}
        self._times = np.concatenate([[0.0], trace.times[kept]])  # a load may begin before the first request
        self._bits = [-1, *(position[index] for index in trace.asked[kept].tolist())]
        sizes = np.zeros(1)
        for index in others:  # the later bit is the higher one
            sizes = np.concatenate([sizes, sizes + trace.models[index].bytes])
        self._fits = sizes <= room

    def best(self) -> float:
        value = np.full(len(self._fits), -np.inf)
        value[0] = 0.0
        halves = [value.reshape(-1, 2, 1 << bit) for bit in range(len(self._others))]
        pairs = [(half[:, 0, :], half[:, 1, :]) for half in halves]  # the sets without and with each model
        barred = np.where(self._fits, 0.0, -np.inf)
        bars = [barred.reshape(-1, 2, 1 << bit)[:, 1, :] for bit in range(len(self._others))]
        gains = self._trace.gains[self._others].tolist()
        loads = self._loads()
        for number, bit in enumerate(self._bits):
            if bit >= 0:
                without, with_it = pairs[bit]
                with_it += gains[bit]
                np.maximum(without, with_it, out=without)  # it may leave now
            for loaded, cost in loads.get(number, ()):
                without, with_it = pairs[loaded]
                np.maximum(with_it, without - cost + bars[loaded], out=with_it)
        return float(value.max())

    def _loads(self) -> dict[int, list[tuple[int, float]]]:
        """After which request which loads may begin, and their cost: CPU-seconds, and the answers that it misses."""
        loads: defaultdict[int, list[tuple[int, float]]] = defaultdict(list)
        asked: NDArray[np.intp] = np.array(self._bits)
        for bit, index in enumerate(self._others):
            costs = self._trace.models[index].costs
            own = np.flatnonzero(asked == bit)
            ready = self._times + costs.load
            before = np.searchsorted(ready, self._times[own], side="right") - 1
            for number in np.unique(before[before >= 0]).tolist():
                answered = np.searchsorted(self._times[own], ready[number], side="left")
                missed = max(0, int(answered) - int(np.searchsorted(own, number, side="right")))
                loads[number].append((bit, costs.load_cpu + missed * costs.cpu))
        return loads
