"""Who is built from what, in this process. The arbiter is made here and handed down."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from bentos import metrics
from facesocial.capabilities import Capability, Task
from facesocial.configuration import Configuration
from models.library import Library
from runners.library import Builder, RunnerLibrary, local_builder
from services.edge.inference import Inference
from services.pipeline.desk import LocalDesk
from services.pipeline.pipeline import Pipeline
from services.pipeline.turns import Turns
from services.readiness import Readiness
from vram_policy import CpuArbiter
from vram_policy.cards import CardsArbiter


@dataclass(frozen=True, slots=True)
class Parts:
    """What a process that runs the whole pipeline consists of."""

    runners: RunnerLibrary
    pipeline: Pipeline
    desk: LocalDesk
    inference: Inference


def compose(configuration: Configuration) -> Parts:
    """Edge, pipeline and runners in one process, on its CPU. No session is opened yet."""
    desk = local_desk(configuration, CardsArbiter(CpuArbiter()))
    return Parts(desk.runners, desk.pipeline, desk, Inference(desk, configuration))


def local_desk(configuration: Configuration, arbiter: CardsArbiter) -> LocalDesk:
    """A desk in this process whose runners are in it too, where `arbiter` says."""

    def losses() -> list[str]:
        return [f"{one.card.device} is lost: the CPU answers" for one in arbiter.arbiters if one.loss]

    build = local_builder(arbiter, configuration.cpu)
    return _desk(configuration, build, configuration.cpu.requests, frozenset, losses)


def desk_of_processes(
    configuration: Configuration, build: Builder, lost: Callable[[], Collection[Capability]]
) -> LocalDesk:
    """A desk whose runners only wait for other processes: all tasks of all requests do so at once.

    `lost` names the capabilities whose process is not there.
    """
    return _desk(configuration, build, configuration.cpu.requests * len(Task), lost)


def _desk(
    configuration: Configuration,
    build: Builder,
    side_by_side: int,
    lost: Callable[[], Collection[Capability]],
    losses: Callable[[], Sequence[str]] = tuple,
) -> LocalDesk:
    runners = RunnerLibrary(Library.open(configuration.models.starter), build)
    pipeline = Pipeline(runners, side_by_side)
    readiness = Readiness(runners, configuration, lost, losses)
    threads = ThreadPoolExecutor(configuration.cpu.requests, thread_name_prefix="request")
    turns = Turns(configuration.admission, configuration.cpu.requests, metrics.waiting())
    return LocalDesk(runners, pipeline, readiness, configuration, turns, threads)
