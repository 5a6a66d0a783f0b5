"""What computes: the models, the CPU and the cards."""

from __future__ import annotations

import os
from typing import Literal

from pydantic import Field

from facesocial.capabilities import Capability, Task
from facesocial.configuration.section import Section

_SIZE = r"\d+(\.\d+)?(MiB|GiB)"


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class CpuSettings(Section):
    """How the CPU is shared. The defaults follow the cores this process may use."""

    session_threads: int = Field(default_factory=_cores, ge=1, le=256, description="threads of one network run")
    requests: int = Field(default_factory=_cores, ge=1, le=256, description="requests computed at the same time")
    batch: int = Field(default=16, ge=1, le=64, description="faces per network run")
    batch_wait_ms: int = Field(
        default=0,
        ge=0,
        le=100,
        description="how long faces wait for a run in progress, to run with those of other requests; 0: never, for on "
        "two cores no network gained from it",
    )


class StandSettings(Section):
    """Where one model stands, in place of the catalogue's word."""

    zone: Literal["critical", "high", "flexible"]
    pin: bool = False


class VramSettings(Section):
    """Who lives on the graphics card. `facesocial vram plan` shows what it comes to."""

    gpu: str = Field(
        default="auto",
        pattern=rf"^(auto|none|cuda:\d+(,\d+)*|simulated:{_SIZE}(,{_SIZE})*)$",
        description="auto: every card there is; none; cuda:N (or cuda:0,1); simulated:6GiB: a card that is not there, "
        "to try the policy out",
    )
    policy: Literal["benefit", "lru"] = Field(
        default="benefit", description="benefit: load what saves more than it costs; lru: load at once"
    )
    budget_mib: int | None = Field(
        default=None, ge=0, le=1 << 20, description="of each card for models; null: all but contexts and headroom"
    )
    headroom_mib: int = Field(default=256, ge=0, le=65_536, description="left free on each card for other programs")
    residency_s: float = Field(default=30, ge=0, le=3600, description="none is evicted sooner, but by a critical one")
    horizon_s: float = Field(default=120, ge=1, le=86_400, description="how far ahead a load must pay for itself")
    margin: float = Field(
        default=1.1, ge=1, le=100, description="how much more a newcomer must be worth than those who leave for it"
    )
    load_mib_s: int = Field(default=500, ge=1, le=100_000, description="load speed of a simulated card")
    unload_ms: int = Field(default=20, ge=0, le=60_000, description="until a simulated card has its memory back")
    lost_at_run: int | None = Field(
        default=None, ge=1, description="the run at which a simulated card is lost to its process, to see what follows"
    )
    models: dict[str, StandSettings] = Field(
        default={}, description='zone and pin of models by name: {"scrfd_2.5g": {"zone": "high", "pin": true}}'
    )


class ModelSettings(Section):
    """Which capabilities must be there for the service to be ready."""

    required: tuple[Capability, ...] = (Capability.DETECTION,)
    starter: bool = Field(
        default=True,
        description="what nothing serves gets the starter model inside the package; commercial use of those: no",
    )
    start_timeout_s: float = Field(
        default=60, gt=0, le=3600, description="a model that has not run by then has failed, until it does"
    )
    tasks: tuple[Task, ...] = Field(
        default=(Task.EMBED, Task.LIVENESS, Task.DEEPFAKE, Task.DEMOGRAPHICS),
        description="what /v1/analyze does when the caller names no tasks; those not installed are left out",
    )
