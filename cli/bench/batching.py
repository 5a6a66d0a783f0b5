"""The batching benchmark: how concurrent calls of one network share the cores best."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from statistics import median
from typing import Final, TypeAlias

import cv2

from cli.bench.machine import Machine
from cli.bench.measurement import Block, Series, quotient
from cli.bench.report import table
from cli.bench.stage import child
from facesocial.capabilities import Capability
from facesocial.configuration import CpuSettings, LimitSettings, load_configuration
from facesocial.memory import keep_freed_pages
from models.library import Library
from models.store import InstalledModel
from runners.batching import JoiningCore
from runners.core import Computed, Core, LeasedCore
from runners.detection.base import DetectionRunner, choose_canvas, letterbox
from runners.library import detection_adapter, face_adapter
from runners.sessions import OnnxModel
from runners.tensors import to_nchw
from services.pipeline.header import read_header
from services.pipeline.picture import Picture
from vram_policy import CpuArbiter
from vram_policy.lease import Array

CALLERS: Final = (1, 2, 4, 8)
"""How many calls at once: two is what a service on two cores lets run."""

FACES: Final = (1, 6)
WAIT_MS: Final = 20
"""Longer than any run measured here, so that joining is seen at its best."""

DIRECT, ONE_THREAD, JOINED, HALVES = "direct", "one thread", "joined", "halves"

NOTES: Final = f"""\
The networks that serve, on the faces of the sample picture, called in a closed loop by so many threads at once.
`direct`: every call runs by itself with the service's session options; the other columns are ratios to it, medians over
blocks that take turns: faces per second (above 1 is a gain), and in brackets p95 and CPU time per face (below 1 is a
gain; CPU time hardly minds what else the machine does). `one thread`: the same on a session of one thread; `joined`:
calls that meet a run in progress wait for it, at most {WAIT_MS} ms, and run together; `halves`: a call of several faces
is divided by the cores and runs side by side on a session of one thread."""

Inputs: TypeAlias = Sequence[Array]


@dataclass(frozen=True, slots=True)
class Case:
    """So many `callers`, each with so many `faces` (detection: pictures) a call."""

    network: str
    faces: int
    callers: int


@dataclass(frozen=True, slots=True)
class Timing:
    """One way in one case: times of the calls, and CPU milliseconds per face in each block."""

    series: Series
    cpu: tuple[float, ...]

    @property
    def faces_per_second(self) -> float:
        """Of all blocks together."""
        return self.series.rate * self.series.faces[0]

    def against(self, direct: Timing) -> str:
        """Ratios to `direct`: faces per second, p95, CPU time per face."""
        rate, cpu = quotient(self.series.rates, direct.series.rates), quotient(self.cpu, direct.cpu)
        return f"{rate:.2f} ({self.series.percentile(95) / direct.series.percentile(95):.2f}, {cpu:.2f})"


class HalvingCore:
    """Divides the rows of a call into `parts` runs of `core` side by side."""

    def __init__(self, core: Core, parts: int, pool: ThreadPoolExecutor) -> None:
        self._core = core
        self._parts = parts
        self._pool = pool

    def run(self, inputs: Inputs) -> Computed:
        """See `runners.core.Core`; outputs are left in their parts, nobody reads them here."""
        rows = len(inputs[0])
        size = -(-rows // self._parts)
        parts = [[array[start : start + size] for array in inputs] for start in range(0, rows, size)]
        others = [self._pool.submit(self._core.run, part) for part in parts[1:]]
        here = self._core.run(parts[0])
        for other in others:
            other.result()
        return here

    def retire(self) -> None:
        """See `runners.core.Core`."""
        self._core.retire()


def batching(image: Path, calls: int, blocks: int, callers: Sequence[int] = CALLERS) -> dict[Case, dict[str, Timing]]:
    """Times of each way in each case: `calls` of them in all, in `blocks` turns.

    Raises:
        ModelNotInstalled: nothing serves detection or one of the capabilities of faces.
    """
    with child({}) as process:
        return process.submit(_measure, image.read_bytes(), calls, blocks, callers).result()


def markdown(measured: Mapping[Case, Mapping[str, Timing]], machine: Machine) -> str:
    """One table: a row for each case."""
    columns = (
        "network",
        "faces a call",
        "callers",
        "direct: faces/s",
        "p50 ms",
        "p95 ms",
        "CPU ms/face",
        ONE_THREAD,
        JOINED,
        HALVES,
    )
    rows = []
    for case, ways in measured.items():
        direct = ways[DIRECT]
        rows.append(
            (
                case.network,
                str(case.faces),
                str(case.callers),
                f"{direct.faces_per_second:.0f}",
                f"{direct.series.percentile(50):.1f}",
                f"{direct.series.percentile(95):.1f}",
                f"{median(direct.cpu):.2f}",
                *(ways[way].against(direct) if way in ways else "–" for way in (ONE_THREAD, JOINED, HALVES)),
            )
        )
    return f"## Batching across requests\n\n{NOTES}\n\n{machine}.\n\n{table(columns, rows)}"


def _measure(data: bytes, calls: int, blocks: int, callers: Sequence[int]) -> dict[Case, dict[str, Timing]]:
    cv2.setNumThreads(1)  # as the service does
    keep_freed_pages()
    cpu = load_configuration().cpu
    measured = {}
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for model, inputs in _networks(data, cpu):
            cores = _cores(model, cpu, pool)
            for case, given in _cases(model, inputs, callers):
                ways = {way: core for way, core in cores.items() if way != HALVES or case.faces > 1}
                measured[case] = _take_turns(ways, given, case, calls, blocks)
    return measured


def _networks(data: bytes, cpu: CpuSettings) -> Iterator[tuple[InstalledModel, Inputs]]:
    """Each network that serves with its input: the picture on its canvas, or every face of it."""
    library = Library.open()
    picture = Picture(data, read_header(data, LimitSettings()))
    detection = library.resolve(Capability.DETECTION)
    detector = DetectionRunner(
        detection_adapter(detection.spec), detection.tag, LeasedCore(OnnxModel(detection, cpu), CpuArbiter())
    )
    faces = detector.run(picture, 0.5, max(FACES)).results
    canvas = choose_canvas(picture.width, picture.height)
    fit = min(canvas[0] / picture.width, canvas[1] / picture.height)
    board = letterbox(picture.at(fit), (round(picture.width * fit), round(picture.height * fit)), canvas)
    yield detection, [to_nchw([board], detector.adapter.spec.preprocessing)]
    for capability in (Capability.RECOGNITION, Capability.LIVENESS, Capability.DEEPFAKE, Capability.DEMOGRAPHICS):
        model = library.resolve(capability)
        adapter = face_adapter(model.spec)
        cut = [[crop.cut(picture, face) for crop in adapter.crops] for face in faces]
        yield model, adapter.pre([tuple(view for view in views if view is not None) for views in cut])


def _cores(model: InstalledModel, cpu: CpuSettings, pool: ThreadPoolExecutor) -> dict[str, Core]:
    direct = LeasedCore(OnnxModel(model, cpu), CpuArbiter())
    single = LeasedCore(OnnxModel(model, cpu.model_copy(update={"session_threads": 1})), CpuArbiter())
    halves = HalvingCore(single, cpu.session_threads, pool)
    cores: dict[str, Core] = {DIRECT: direct, ONE_THREAD: single, HALVES: halves}
    if model.spec.dynamic_batch:
        cores[JOINED] = JoiningCore(direct, cpu.batch, WAIT_MS / 1000)
    return cores


def _cases(model: InstalledModel, inputs: Inputs, callers: Sequence[int]) -> Iterator[tuple[Case, Inputs]]:
    for faces in sorted({min(count, len(inputs[0])) for count in FACES}):
        for count in callers:
            yield Case(model.spec.name, faces, count), [array[:faces] for array in inputs]


def _take_turns(ways: Mapping[str, Core], inputs: Inputs, case: Case, calls: int, blocks: int) -> dict[str, Timing]:
    taken: dict[str, list[tuple[Block, float]]] = {way: [] for way in ways}
    with ThreadPoolExecutor(case.callers) as callers:
        for core in ways.values():
            _block(callers, partial(core.run, inputs), case, case.callers)  # warms it
        for _ in range(blocks):
            for way, core in ways.items():
                taken[way].append(_block(callers, partial(core.run, inputs), case, calls // blocks))
    return {
        way: Timing(Series(tuple(block for block, _ in turns)), tuple(cpu for _, cpu in turns))
        for way, turns in taken.items()
    }


def _block(pool: ThreadPoolExecutor, call: Callable[[], object], case: Case, calls: int) -> tuple[Block, float]:
    """A block, and the CPU milliseconds that this process spent on each of its faces."""
    tickets = iter(range(calls))  # shared: each ticket is drawn once
    began, spent_before = time.perf_counter(), time.process_time()
    seconds = tuple(chain.from_iterable(pool.map(lambda _: _caller(call, tickets), range(case.callers))))
    elapsed, cpu = time.perf_counter() - began, time.process_time() - spent_before
    return Block(seconds, elapsed, case.faces), cpu * 1000 / (calls * case.faces)


def _caller(call: Callable[[], object], tickets: Iterator[int]) -> list[float]:
    spent = []
    for _ in tickets:
        started = time.perf_counter()
        call()
        spent.append(time.perf_counter() - started)
    return spent
