"""Who is built from what, in this process. The arbiter is made here and handed down."""

from __future__ import annotations

from dataclasses import dataclass

from facesocial.configuration import Configuration
from models.library import Library
from runners.library import RunnerLibrary
from services.inference import Inference
from services.pipeline.pipeline import Pipeline
from vram_policy import CpuArbiter


@dataclass(frozen=True, slots=True)
class Parts:
    """What one process of placement `embedded` consists of."""

    runners: RunnerLibrary
    pipeline: Pipeline
    inference: Inference


def compose(configuration: Configuration) -> Parts:
    """Edge, pipeline and runners in one process. No session is opened yet."""
    runners = RunnerLibrary(Library.open(), CpuArbiter(), configuration.cpu)
    pipeline = Pipeline(runners, configuration.cpu.requests)
    return Parts(runners, pipeline, Inference(runners, pipeline, configuration))
