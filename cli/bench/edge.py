"""The edge benchmark: what it adds to a request, and what slow senders do to others."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from typing import Final
from urllib.parse import urlsplit

import httpx

from cli.bench import bare
from cli.bench.load import drive, multipart, raw
from cli.bench.measurement import Block, Ratio, Series, quotient
from cli.bench.race import ROUTE
from cli.bench.stage import child, staged
from cli.process import Service

OVERHEAD_MS: Final = 1.5
"""What the edge may add to the bare route, p50."""

SLOW: Final = 200
"""Connections that send a byte of their head each second."""

DISTURBANCE: Final = 1.2
"""p95 of others beside them, as a multiple of p95 without."""


def compare(image: Path, requests: int, blocks: int) -> dict[str, Series]:
    """Times of `/v1/embed`: bare, behind the edge, and there beside slow senders; `requests` each, in `blocks` turns.

    Raises:
        ModelNotInstalled: the weights are not here.
        FaceSocialError: a service did not start, or refused a request.
    """
    data = image.read_bytes()
    with ExitStack() as stack:
        variables = stack.enter_context(staged())
        generator = stack.enter_context(child({}))
        whole = stack.enter_context(Service.start(variables))
        bones = stack.enter_context(Service.start(variables, _answers, bare.SERVICE))
        turns = {
            "bare": partial(drive, bones.url + ROUTE, data, 1, build=raw),
            "edge": partial(drive, whole.url + ROUTE, data, 1, build=raw),
            "edge, multipart": partial(drive, whole.url + ROUTE, data, 1, build=multipart),
        }
        taken: dict[str, list[Block]] = {name: [] for name in (*turns, f"edge beside {SLOW}")}
        for _ in range(blocks):
            for name, turn in turns.items():
                taken[name].append(generator.submit(turn, requests // blocks).result())
            with slow_senders(whole.url):
                taken[f"edge beside {SLOW}"].append(generator.submit(turns["edge"], requests // blocks).result())
    return {name: Series(tuple(series)) for name, series in taken.items()}


def ratios(series: Mapping[str, Series]) -> list[Ratio]:
    """The edge against the bare route, block by block; slow senders by p95 of all requests."""
    plain, edge = series["bare"], series["edge"]
    added = median(a - b for a, b in zip(edge.medians, plain.medians, strict=True))
    beside = series[f"edge beside {SLOW}"]
    return [
        Ratio("edge − bare, one client, p50, ms", added, "≤", OVERHEAD_MS),
        Ratio("edge / bare, one client, p50", quotient(edge.medians, plain.medians)),
        Ratio(
            f"beside {SLOW} slow senders / without, p95", beside.percentile(95) / edge.percentile(95), "≤", DISTURBANCE
        ),
    ]


@contextmanager
def slow_senders(url: str, count: int = SLOW) -> Iterator[None]:
    """So many connections, a byte of a head that never ends each second; one that is closed comes again."""
    place, stop = urlsplit(url), threading.Event()
    address = (place.hostname or "", place.port or 80)

    def crawl() -> None:
        open_ = [_dial(address) for _ in range(count)]
        while not stop.wait(1):
            for number, connection in enumerate(open_):
                try:
                    connection.sendall(b"x")
                except OSError:  # we were closed, as we should be
                    connection.close()
                    open_[number] = _dial(address)
        for connection in open_:
            connection.close()

    crawler = threading.Thread(target=crawl)
    crawler.start()
    time.sleep(2)  # all are there
    try:
        yield
    finally:
        stop.set()
        crawler.join()


def _dial(address: tuple[str, int]) -> socket.socket:
    connection = socket.create_connection(address, timeout=5)
    connection.sendall(b"POST / HTTP/1.1\r\nX: ")
    return connection


def _answers(service: Service) -> bool:
    """BentoML's own readiness has no JSON."""
    try:
        return httpx.get(f"{service.url}/readyz", timeout=2).status_code == 200
    except httpx.TransportError:
        return False
