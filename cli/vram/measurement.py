"""What one model takes and costs, measured in a process that does nothing else.

It is loaded twice. The first time brings along what stays with the process (a context, libraries, threads) and is not
counted; the second is what a load costs a service that runs.
"""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from statistics import median
from typing import Final

from facesocial.configuration import CpuSettings
from facesocial.memory import give_freed_pages, resident
from models import profiles
from models.library import Library
from models.profiles import SIMULATED, Measurement
from runners.sessions import OnnxModel, blank
from vram_policy import Session
from vram_policy.device import NvidiaCard, cards
from vram_policy.lease import CPU

LOOK: Final = 0.002
"""Seconds between two looks at the memory, for its peak."""

RUNS: Final = 30
SECONDS: Final = 1.5
"""A figure is the median of so many runs, or of as many as fit into so many seconds, but of three at least."""

RELEASE: Final = 2.0
"""Seconds that closed memory may take to be free."""

GRAIN: Final = 2 << 20
"""Bytes that count as nothing: a card gives its memory out in pages of 2 MiB."""


@dataclass(frozen=True, slots=True)
class Spent:
    """Seconds of a run: by the clock, and of the CPU."""

    elapsed: float
    cpu: float


def measure(tag: str, device: str, cpu: CpuSettings) -> Measurement:
    """Measure an installed model on `cpu`, for all simulated cards, or on `cuda:N`, and keep the profile with it.

    In a new process with the `environment` of that device.

    Raises:
        ModelNotInstalled, ModelIntegrityError: the model is not there.
        DeviceError: the card does not work here, or has no room.
    """
    installed = Library.open(starters=True).get(tag)
    model = OnnxModel(installed, cpu)
    if device == CPU:
        name, gauge, open_ = SIMULATED, resident, partial(model.open, CPU)
        method = f"CPU session of {cpu.session_threads} threads; growth of the process's resident memory"
    else:
        index = int(device.partition(":")[2])
        card = NvidiaCard(index, 0, cards()[index].name)
        name, gauge, open_ = card.name, lambda: card.memory().own, partial(card.open, model)
        method = f"{device}, NVML; the CPU's times with {cpu.session_threads} threads"
    on_cpu = None if device == CPU else _on_cpu(model)
    measurement = _measure(model, open_, gauge, on_cpu, method)
    profiles.write(installed, model.key(name), measurement)
    return measurement


def environment(device: str) -> dict[str, str]:
    """What the process that measures must know before CUDA does: it sees the one card, by the driver's number."""
    _, _, index = device.partition(":")
    return {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", "CUDA_VISIBLE_DEVICES": index} if index else {}


def _measure(
    model: OnnxModel,
    open_: Callable[[], Session],
    gauge: Callable[[], int],
    on_cpu: tuple[Spent, Spent] | None,
    method: str,
) -> Measurement:
    """`on_cpu`: what runs take there; None: `open_` opens CPU sessions."""
    rehearsal = open_()
    model.warm(rehearsal)
    rehearsal.close()
    before = _settled(gauge)
    with _stopwatch() as opening:
        session = open_()
    weights = _settled(gauge) - before
    with _watched(gauge) as highest, _stopwatch() as warming:
        model.warm(session)
    here = spent(model, session)
    on_cpu = on_cpu or here
    steady = _settled(gauge) - before
    with _stopwatch() as closing:
        session.close()
        _await_release(gauge, before)
    kept = _settled(gauge) - before
    weights, steady = max(0, weights), max(0, steady)
    return Measurement(
        weights=weights,
        peak=max(weights, steady, highest[0] - before),
        steady=steady,
        kept=kept,
        cpu=on_cpu[0].cpu,
        cpu_most=on_cpu[1].cpu,
        gpu=here[0].elapsed,
        gpu_most=here[1].elapsed,
        load=opening[0].elapsed + warming[0].elapsed,
        load_cpu=opening[0].cpu + warming[0].cpu,
        unload=closing[0].elapsed,
        date=datetime.now(UTC),
        method=method,
    )


def spent(model: OnnxModel, session: Session) -> tuple[Spent, Spent]:
    """Of a run of one item, at its largest, and of the largest run."""
    one = next(shapes for shapes in model.shapes if all(shape[0] == 1 for shape in shapes))
    return _median(partial(session.run, blank(one))), _median(partial(session.run, blank(model.shapes[0])))


def _on_cpu(model: OnnxModel) -> tuple[Spent, Spent]:
    session = model.open(CPU)
    times = spent(model, session)
    session.close()
    return times


def _median(run: Callable[[], object]) -> Spent:
    times: list[Spent] = []
    end = time.perf_counter() + SECONDS
    while len(times) < 3 or (len(times) < RUNS and time.perf_counter() < end):
        with _stopwatch() as watch:
            run()
        times.append(watch[0])
    return Spent(median(one.elapsed for one in times), median(one.cpu for one in times))


@contextmanager
def _stopwatch() -> Iterator[list[Spent]]:
    """The list holds what the block took, once it has ended."""
    watch: list[Spent] = []
    elapsed, cpu = time.perf_counter(), time.process_time()
    yield watch
    watch.append(Spent(time.perf_counter() - elapsed, time.process_time() - cpu))


@contextmanager
def _watched(gauge: Callable[[], int]) -> Iterator[list[int]]:
    """The list holds the highest that `gauge` said while the block ran."""
    highest, over = [gauge()], threading.Event()

    def look() -> None:
        while not over.wait(LOOK):
            highest[0] = max(highest[0], gauge())

    thread = threading.Thread(target=look, name="gauge")
    thread.start()
    try:
        yield highest
    finally:
        over.set()
        thread.join()
        highest[0] = max(highest[0], gauge())


def _settled(gauge: Callable[[], int]) -> int:
    """What `gauge` says when nothing is kept that nobody needs."""
    gc.collect()
    give_freed_pages()
    return gauge()


def _await_release(gauge: Callable[[], int], before: int) -> None:
    """Until all is given back, or for a while."""
    end = time.perf_counter() + RELEASE
    while gauge() - before > GRAIN and time.perf_counter() < end:
        give_freed_pages()
        time.sleep(LOOK)
