"""Small cards, models and traces for hypothesis."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from vram_policy.footprint import Costs
from vram_policy.simulation.trace import SimulatedModel, Trace
from vram_policy.zones import Zone

BUDGET = 100


def model(
    tag: str, zone: Zone = "flexible", size: int = 60, cpu: float = 1.0, load: float = 3.0, unload: float = 0.5
) -> SimulatedModel:
    return SimulatedModel(tag, "recognition", zone, size, Costs(cpu, 0.01, load, 0.8 * load, unload))


def trace(models: tuple[SimulatedModel, ...], *requests: tuple[float, int], duration: float = 1000.0) -> Trace:
    """Requests as (second, model)."""
    times = np.array([moment for moment, _ in requests], np.float64)
    return Trace("small", models, times, np.array([index for _, index in requests], np.intp), duration)


models = st.builds(
    model,
    st.just("model"),
    st.sampled_from(["high", "flexible"]),
    st.integers(5, 80),
    st.sampled_from([0.1, 1.0, 5.0]),
    st.sampled_from([0.5, 3.0, 20.0]),
    st.sampled_from([0.1, 2.0]),
)


@st.composite
def traces(draw: st.DrawFn, models_most: int = 5, requests_most: int = 150) -> Trace:
    """A critical model of ten bytes, some others, and requests in bursts and gaps; the budget is BUDGET."""
    count = draw(st.integers(1, models_most))
    drawn = [draw(models) for _ in range(count)]
    all_models = (
        model("critical", "critical", 10),
        *(
            SimulatedModel(f"m{index}", one.task, one.zone, one.bytes, one.costs, draw(st.booleans()) and index == 0)
            for index, one in enumerate(drawn)
        ),
    )
    length = draw(st.integers(0, requests_most))
    gaps = draw(st.lists(st.sampled_from([0.0, 0.3, 1.0, 4.0, 40.0]), min_size=length, max_size=length))
    asked = draw(st.lists(st.integers(0, count), min_size=length, max_size=length))
    times = np.cumsum(np.array(gaps, np.float64)) + draw(st.sampled_from([0.0, 5.0]))
    duration = float(times[-1]) + 10.0 if length else 10.0
    return Trace("small", all_models, times, np.array(asked, np.intp), duration)
