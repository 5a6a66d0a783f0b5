"""What a card and its arbiter say about themselves. Bytes, seconds, counts."""

from __future__ import annotations

from dataclasses import dataclass, replace

from vram_policy.admission import Admission
from vram_policy.card import Memory
from vram_policy.counts import Counts
from vram_policy.dossier import Dossier
from vram_policy.footprint import Costs
from vram_policy.zones import SHARES, Zone, share


@dataclass(frozen=True, slots=True)
class ZoneReport:
    """`guaranteed` bytes, and how many its models are charged now."""

    guaranteed: int
    used: int


@dataclass(frozen=True, slots=True)
class ModelReport:
    """One model that was asked for.

    Attributes:
        state: of the ledger, or `absent`.
        charged: bytes; `measured`: bytes its load took by the card's own numbers, where they could be told apart.
        size: bytes it will be charged; from a measurement, or else from an estimate.
        costs: of a run, a load and an unload.
        idle: seconds since its last request.
        rate: requests a second that the plan expects.
        note: why it is not on the card, when that has a reason.
    """

    tag: str
    zone: Zone
    pin: bool
    state: str
    charged: int
    size: int
    profiled: bool
    measured: int | None
    leases: int
    costs: Costs
    idle: float | None
    rate: float
    counts: Counts
    note: str | None = None


@dataclass(frozen=True, slots=True)
class CardReport:
    """One card, as one process sees it.

    Attributes:
        budget: bytes this process may give to models; `charged`: what it has given.
        own: bytes the card says this process holds, context included; None when it does not say.
        lost: why nothing runs on it any more.
    """

    device: str
    name: str
    policy: str
    total: int | None
    free: int | None
    own: int | None
    budget: int
    context: int
    headroom: int
    charged: int
    leaked: int
    unaccounted: int
    zones: dict[str, ZoneReport]
    models: tuple[ModelReport, ...]
    counts: Counts
    lost: str | None = None


def describe(admission: Admission, memory: Memory | None, loss: str | None, now: float) -> CardReport:
    """The books beside the card's own numbers; `memory` is None when the card does not answer."""
    ledger = admission.ledger
    models = tuple(_of(admission, dossier, now) for dossier in admission.dossiers.all())
    return CardReport(
        admission.card.device,
        admission.card.name,
        admission.rules.policy,
        memory.total if memory else None,
        memory.free if memory else None,
        memory.own if memory else None,
        ledger.budget,
        admission.context,
        admission.headroom,
        ledger.charged,
        ledger.leaked,
        ledger.unaccounted,
        {zone: ZoneReport(share(ledger.budget, zone), ledger.used(zone)) for zone in SHARES},
        models,
        sum((model.counts for model in models), Counts()),
        loss,
    )


def _of(admission: Admission, dossier: Dossier, now: float) -> ModelReport:
    tag, entry = dossier.model.tag, admission.ledger.get(dossier.model.tag)
    return ModelReport(
        tag,
        dossier.stand.zone,
        dossier.stand.pin,
        entry.state.value if entry else "absent",
        entry.charged if entry else 0,
        dossier.size(admission.card.name),
        dossier.model.profile(admission.card.name).measured,
        dossier.taken,
        len(entry.leases) if entry else 0,
        dossier.model.profile(admission.card.name).costs,
        admission.demand.idle(tag, now) if admission.demand.asked(tag) else None,
        admission.demand.forecast(tag, now),
        replace(dossier.counts),
        None if entry else dossier.note,
    )
