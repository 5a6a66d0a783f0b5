"""The placements benchmark: what a hop between processes costs, for one client and for eight."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from statistics import median
from typing import Final

from cli.bench.load import drive
from cli.bench.measurement import Block, Ratio, Series, quotient
from cli.bench.race import CLIENTS, ROUTE
from cli.bench.stage import child, staged
from cli.process import Service

PLACEMENTS: Final = ("embedded", "colocated", "isolated")
HOP_MS: Final = 5.0
"""What `colocated` may add to `embedded`."""


def compare(image: Path, requests: int, blocks: int) -> dict[str, Series]:
    """Times of `/v1/embed` in each placement, served side by side; `requests` each, in `blocks` turns.

    Raises:
        ModelNotInstalled: the weights are not here.
        FaceSocialError: a service did not start, or refused a request.
    """
    data = image.read_bytes()
    with ExitStack() as stack:
        variables = stack.enter_context(staged())
        generator = stack.enter_context(child({}))
        turns = {}
        for placement in PLACEMENTS:
            service = stack.enter_context(Service.start({**variables, "FACESOCIAL__PLACEMENT": placement}))
            for clients in CLIENTS:
                turns[f"{placement}, {clients}"] = partial(drive, service.url + ROUTE, data, clients)
        taken: dict[str, list[Block]] = {name: [] for name in turns}
        for _ in range(blocks):
            for name, turn in turns.items():
                taken[name].append(generator.submit(turn, requests // blocks).result())
    return {name: Series(tuple(series)) for name, series in taken.items()}


def ratios(series: Mapping[str, Series]) -> list[Ratio]:
    """Each placement against `embedded`, block by block."""
    alone, crowd = (series[f"embedded, {clients}"] for clients in CLIENTS)
    hop = median(a - b for a, b in zip(series["colocated, 1"].medians, alone.medians, strict=True))
    others = PLACEMENTS[1:]
    return [
        Ratio("colocated − embedded, one client, p50, ms", hop, "≤", HOP_MS),
        *(
            Ratio(f"{name} / embedded, one client, p50", quotient(series[f"{name}, 1"].medians, alone.medians))
            for name in others
        ),
        *(
            Ratio(f"{name} / embedded, 8 clients, requests/s", quotient(series[f"{name}, 8"].rates, crowd.rates))
            for name in others
        ),
    ]
