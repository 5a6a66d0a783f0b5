"""The pipeline benchmark: contestants in blocks that take turns, ratios between them, targets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import TypeAlias

from cli.bench.contestants import CONTESTANTS, run_block
from cli.bench.load import drive
from cli.bench.measurement import Block, Ratio, Series, quotient
from cli.bench.stage import child, staged
from cli.process import Service

CLIENTS = (1, 8)
ROUTE = "/v1/embed"
OVERHEAD_MS = 3.0
"""What HTTP may add to the limit, beside its quarter."""

Turn: TypeAlias = Callable[[int], Block]
"""Runs one block of so many requests."""


def race(image: Path, requests: int, blocks: int) -> dict[str, Series]:
    """Times of every contestant: `requests` each, in `blocks` turns.

    Raises:
        ModelNotInstalled: the weights are not here.
        FaceSocialError: the service did not start, or refused a request.
    """
    taken: dict[str, list[Block]] = {}
    with _contestants(image.read_bytes()) as turns:
        for name, turn in turns.items():
            turn(1)  # builds and warms it
            taken[name] = []
        for _ in range(blocks):
            for name, turn in turns.items():
                taken[name].append(turn(requests // blocks))
    return {name: Series(tuple(series)) for name, series in taken.items()}


@contextmanager
def _contestants(data: bytes) -> Iterator[dict[str, Turn]]:
    with ExitStack() as stack:
        variables = stack.enter_context(staged())
        turns: dict[str, Turn] = {}
        for name in CONTESTANTS:
            process = stack.enter_context(child(variables))
            turns[name] = partial(_take, process, partial(run_block, name, data))
        service = stack.enter_context(Service.start(variables))
        generator = stack.enter_context(child({}))
        for clients in CLIENTS:
            turns[f"http {clients}"] = partial(_take, generator, partial(drive, service.url + ROUTE, data, clients))
        yield turns


def _take(process: ProcessPoolExecutor, turn: Turn, requests: int) -> Block:
    return process.submit(turn, requests).result()


def ratios(series: dict[str, Series]) -> list[Ratio]:
    """What the benchmark is for. Each is the median over the blocks of the ratio within a block."""
    limit, pipeline, one, eight = (series[name] for name in ("limit", "pipeline", "http 1", "http 8"))
    allowed = [spent - OVERHEAD_MS for spent in one.medians]
    peers = {"FaceAnalysis, our options": 1.5, "FaceAnalysis as it comes": 3.5}
    return [
        Ratio("pipeline / limit, p50", quotient(pipeline.medians, limit.medians)),
        Ratio(f"(http 1 − {OVERHEAD_MS:g} ms) / limit, p50", quotient(allowed, limit.medians), "≤", 1.25),
        *(
            Ratio(f"{name} / http 1, p50", quotient(series[name].medians, one.medians), "≥", target)
            for name, target in peers.items()
        ),
        Ratio("http 8 / http 1, requests per second", quotient(eight.rates, one.rates), "≥", 0.95),
    ]
