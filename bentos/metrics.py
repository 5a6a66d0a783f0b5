"""What Prometheus is told of us, beside what BentoML tells it."""

from __future__ import annotations

from functools import cache

from services.pipeline.inquiry import Cost
from services.pipeline.turns import Watch


@cache
def waiting() -> Watch:
    """Sets the gauge `facesocial_waiting`: how many inquiries of each cost wait for their turn, in all processes."""
    from prometheus_client import Gauge  # a worker knows where processes share their figures only when it has started

    gauge = Gauge("facesocial_waiting", "Inquiries that wait for their turn", ["cost"], multiprocess_mode="livesum")

    def watch(cost: Cost, count: int) -> None:
        gauge.labels(cost.value).set(count)

    for cost in Cost:
        watch(cost, 0)
    return watch
