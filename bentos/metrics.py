"""What Prometheus is told of us, beside what BentoML tells it.

A worker knows where processes share their figures only when it has started: nothing is made before.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from services.pipeline.inquiry import Cost
from services.pipeline.turns import Watch

if TYPE_CHECKING:
    from prometheus_client import Counter, Histogram


@cache
def waiting() -> Watch:
    """Sets the gauge `facesocial_waiting`: how many inquiries of each cost wait for their turn, in all processes."""
    from prometheus_client import Gauge

    gauge = Gauge("facesocial_waiting", "Inquiries that wait for their turn", ["cost"], multiprocess_mode="livesum")

    def watch(cost: Cost, count: int) -> None:
        gauge.labels(cost.value).set(count)

    for cost in Cost:
        watch(cost, 0)
    return watch


SECONDS: Final = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
"""Bounds of the buckets."""


@cache
def _meters() -> tuple[Counter, Histogram]:
    from prometheus_client import Counter, Histogram

    return (
        Counter("facesocial_requests", "Answers by route, status and error code", ["route", "status", "code"]),
        Histogram("facesocial_request_seconds", "From head to answer", ["route", "status"], buckets=SECONDS),
    )


def count(route: str, status: int, code: str, seconds: float) -> None:
    """A `services.edge.reply.Tally`: `facesocial_requests_total`, refusals too, and `facesocial_request_seconds`.

    BentoML's own count goes by the path as it was asked for: whoever asks for what is not there makes twenty series,
    and their words stay on a disk.
    """
    total, times = _meters()
    total.labels(route, status, code).inc()
    times.labels(route, status).observe(seconds)


def forget(folder: Path, pid: int) -> None:
    """What a process that has ended said of the present, such as who waits, is no longer so."""
    from prometheus_client.multiprocess import mark_process_dead

    mark_process_dead(pid, str(folder))  # type: ignore[no-untyped-call]
