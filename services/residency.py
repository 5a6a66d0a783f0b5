"""Who is on the cards, asked and ordered from outside: here, or in the processes that own them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import msgspec

from facesocial.capabilities import Capability
from facesocial.configuration import VramSettings
from facesocial.errors import Conflict, ModelError
from runners.library import Models
from vram_policy.arbiter import GpuArbiter
from vram_policy.cards import CardsArbiter
from vram_policy.plan import Rules
from vram_policy.report import CardReport
from vram_policy.simulation.trace import TASKS, SimulatedModel, Trace, TraceRecorder, as_text
from vram_policy.zones import Stand


class Look(msgspec.Struct, frozen=True, tag=True):
    """How things are."""


class Load(msgspec.Struct, frozen=True, tag=True):
    """Bring what serves a capability onto its card."""

    capability: Capability


class Unload(msgspec.Struct, frozen=True, tag=True):
    """Take what serves a capability off its card, until it is loaded again."""

    capability: Capability


class Recall(msgspec.Struct, frozen=True, tag=True):
    """What was asked for lately."""


class Restate(msgspec.Struct, frozen=True, tag=True):
    """Other rules, zones and pins: a `VramSettings` as JSON types."""

    vram: dict[str, Any]


Order: TypeAlias = Look | Load | Unload | Recall | Restate


@dataclass(frozen=True, slots=True)
class ProcessReport:
    """One process and its cards; `trace`: as `vram_policy.simulation.trace.as_text`, if it was asked for."""

    process: str
    cards: tuple[CardReport, ...]
    trace: str | None = None


def rules_of(vram: VramSettings) -> Rules:
    """What the plan goes by."""
    return Rules(vram.policy, vram.horizon_s, vram.margin, vram.residency_s)


def stands_of(vram: VramSettings) -> dict[str, Stand]:
    """Zones and pins that the operator sets."""
    return {name: Stand(stand.zone, stand.pin) for name, stand in vram.models.items()}


class Residency(Protocol):
    """Knows the cards."""

    async def obey(self, order: Order) -> tuple[ProcessReport, ...]:
        """Do it; how things are then, in every process that owns a card.

        Raises:
            Conflict: the model cannot be brought onto the card, or taken off it, now.
            ModelNotInstalled: nothing serves the capability.
            NotReady: the process that owns the card is not there.
        """
        ...

    def close(self) -> None:
        """Let running loads end and start no more."""
        ...


@dataclass(frozen=True, slots=True)
class LocalResidency:
    """The cards of this process."""

    process: str
    arbiter: CardsArbiter
    models: Models
    recorder: TraceRecorder

    def close(self) -> None:
        """See `Residency.close`."""
        self.arbiter.close()

    async def obey(self, order: Order) -> tuple[ProcessReport, ...]:
        """See `Residency.obey`; what may wait does so in a thread."""
        return await asyncio.to_thread(self._obey, order)

    def _obey(self, order: Order) -> tuple[ProcessReport, ...]:
        match order:
            case Load(capability):
                owner, tag = self._owner(capability)
                owner.load(tag)
            case Unload(capability):
                owner, tag = self._owner(capability)
                owner.unload(tag)
            case Restate(vram):
                settings = VramSettings.model_validate(vram)
                for arbiter in self.arbiter.arbiters:
                    arbiter.reconfigure(rules_of(settings), stands_of(settings))
            case Look() | Recall():
                pass
        cards = tuple(arbiter.report() for arbiter in self.arbiter.arbiters)
        trace = as_text(self._trace(cards)) if isinstance(order, Recall) else None
        return (ProcessReport(self.process, cards, trace),)

    def _trace(self, cards: Sequence[CardReport]) -> Trace:
        """Requests for what serves now."""
        known = {model.tag: model for card in cards for model in card.models}
        return self.recorder.trace(
            {
                model.tag: SimulatedModel(model.tag, task, model.zone, model.size, model.costs, model.pin)
                for task in TASKS
                if (model := known.get(self._tag(Capability(task))))
            }
        )

    def _tag(self, capability: Capability) -> str:
        try:
            return self.models.resolve(capability).tag
        except ModelError:
            return ""

    def _owner(self, capability: Capability) -> tuple[GpuArbiter, str]:
        tag = self.models.resolve(capability).tag
        owner = self.arbiter.find(tag)
        if owner is None:
            why = "it has not run yet" if self.arbiter.arbiters else "there is no card in use"
            raise Conflict(f"{tag}: {'runs on the CPU alone' if capability is Capability.MESH else why}")
        return owner, tag
