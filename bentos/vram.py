"""The cards of this process, as the parent shared them out: arbiters, their heartbeat, what a lost card means."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import structlog

from bentos.placement import Resolution
from facesocial.configuration import Configuration, VramSettings
from models.library import Library
from services.residency import LocalResidency, rules_of, stands_of
from vram_policy import CpuArbiter
from vram_policy.arbiter import GpuArbiter
from vram_policy.budget import CONTEXT
from vram_policy.card import Card
from vram_policy.cards import CardsArbiter
from vram_policy.choice import Choice
from vram_policy.device import NvidiaCard
from vram_policy.footprint import MEBIBYTE
from vram_policy.neighbours import Files
from vram_policy.simulated import Behaviour, SimulatedGpu
from vram_policy.simulation.trace import TraceRecorder

log = structlog.get_logger(__name__)

BEAT_SECONDS: Final = 1.0
"""Between two comparisons of the ledger with the card."""

RECYCLE_SECONDS: Final = 60.0
"""A process is not ended again so soon."""


def arbiter_of(
    name: str,
    configuration: Configuration,
    resolution: Resolution,
    lost: Callable[[str], object] = lambda _: None,
    record: Callable[[str], object] = lambda _: None,
) -> CardsArbiter:
    """For the process of the service `name`. Hides every card from it that is not its own.

    `lost` is told when a card can be used no more until the process starts anew, `record` the tag of each request.
    """
    visible = resolution.visible(name)
    if visible is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = visible
    vram, cpu = configuration.vram, CpuArbiter()
    arbiters = [
        GpuArbiter(
            _card(resolution.cards[place], ordinal, vram, Path(resolution.runtime)),
            budget,
            cpu,
            headroom=vram.headroom_mib * MEBIBYTE,
            rules=rules_of(vram),
            stands=stands_of(vram),
            lost=lost,
            record=record,
        )
        for ordinal, (place, budget) in enumerate(resolution.budgets.get(name, {}).items())
    ]
    for one in arbiters:
        if not one.budget:
            log.warning("the card is too small for a context and the headroom: the CPU answers", device=one.card.device)
    if arbiters:
        threading.Thread(target=_beat, args=(arbiters,), name="vram-beat", daemon=True).start()
    return CardsArbiter(cpu, arbiters)


class Recycler:
    """Ends the process whose card is lost, so that the supervisor starts it anew; the CPU lane answers meanwhile.

    Without the lane the process stays, on the CPU. So does one that was started anew a moment ago: a card that is lost
    again and again is broken.
    """

    def __init__(self, name: str, resolution: Resolution, leave: Callable[[], object]) -> None:
        self._mark = Path(resolution.runtime, f"{name}.recycled")
        self._lane = resolution.lane
        self._leave = leave

    def __call__(self, reason: str) -> None:
        """`leave` first, so that nobody sends more; what runs comes to its end."""
        if not self._lane or not self._first():
            log.warning("the process stays, on the CPU", reason=reason)
            return
        log.warning("the process ends, to be started anew", reason=reason)
        self._leave()
        os.kill(os.getpid(), signal.SIGTERM)

    def _first(self) -> bool:
        """Whether it was not ended a moment ago; what cannot be known is no reason to end it."""
        try:
            if self._mark.exists() and time.time() - self._mark.stat().st_mtime < RECYCLE_SECONDS:
                return False
            self._mark.touch()
        except OSError:
            return False
        return True


def residency_of(
    name: str, configuration: Configuration, resolution: Resolution, lost: Callable[[str], object] = lambda _: None
) -> LocalResidency:
    """The cards of the process of the service `name`, with what was asked of them lately."""
    recorder = TraceRecorder()
    arbiter = arbiter_of(name, configuration, resolution, lost, recorder.record)
    return LocalResidency(name, arbiter, Library.open(configuration.models.starter), recorder)


def _card(choice: Choice, ordinal: int, vram: VramSettings, runtime: Path) -> Card:
    if choice.kind == "cuda":
        return NvidiaCard(choice.index, ordinal, choice.name)
    behaviour = Behaviour(
        load_speed=vram.load_mib_s * MEBIBYTE,
        lag=vram.unload_ms / 1000,
        stickiness=vram.lost_at_run,
        context=CONTEXT,
    )
    neighbours = Files(runtime, choice.index)
    return SimulatedGpu(choice.total, behaviour, index=choice.index, neighbours=neighbours)


def _beat(arbiters: list[GpuArbiter]) -> None:
    pause = threading.Event()
    while not pause.wait(BEAT_SECONDS):
        for arbiter in arbiters:
            try:
                arbiter.tick()
            except Exception:
                log.exception("comparing the ledger with the card failed", device=arbiter.card.device)
