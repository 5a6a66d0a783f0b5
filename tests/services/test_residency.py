"""Orders to the cards of this process."""

from __future__ import annotations

from pathlib import Path

import pytest

from facesocial import wire
from facesocial.capabilities import Capability
from facesocial.configuration import StandSettings, VramSettings
from facesocial.errors import Conflict, ModelNotInstalled
from services.residency import (
    Load,
    LocalResidency,
    Look,
    Order,
    ProcessReport,
    Recall,
    Restate,
    Unload,
    rules_of,
    stands_of,
)
from tests.runners.fakes import FakeModels
from tests.vram_policy.fakes import FakeModel
from vram_policy import CpuArbiter
from vram_policy.arbiter import GpuArbiter
from vram_policy.budget import HEADROOM
from vram_policy.cards import CardsArbiter
from vram_policy.plan import Rules
from vram_policy.simulated import SimulatedGpu
from vram_policy.simulation.trace import TraceRecorder, read_trace
from vram_policy.zones import Stand

pytestmark = pytest.mark.unit


def residency(cards: int = 1) -> tuple[LocalResidency, FakeModels]:
    """Its recogniser has been asked for once."""
    cpu, models = CpuArbiter(), FakeModels()
    recorder = TraceRecorder()
    arbiters = [
        GpuArbiter(SimulatedGpu(1000, index=i), 800, cpu, context=0, headroom=0, record=recorder.record)
        for i in range(cards)
    ]
    arbiter = CardsArbiter(cpu, arbiters)
    arbiter.lease(FakeModel("recognition:1")).end()
    return LocalResidency("here", arbiter, models, recorder), models


async def test_load_look_and_unload() -> None:
    here, _ = residency()
    (report,) = await here.obey(Load(Capability.RECOGNITION))
    assert report.cards[0].models[0].state == "ready"
    (report,) = await here.obey(Look())
    assert report.cards[0].charged == 100
    (report,) = await here.obey(Unload(Capability.RECOGNITION))
    assert report.cards[0].models[0].state == "absent"


@pytest.mark.parametrize(
    ("capability", "cards", "words"),
    [
        (Capability.MESH, 1, "runs on the CPU alone"),
        (Capability.RECOGNITION, 0, "no card in use"),
        (Capability.LIVENESS, 1, "has not run yet"),
    ],
)
async def test_what_cannot_be_moved(capability: Capability, cards: int, words: str) -> None:
    here, _ = residency(cards)
    with pytest.raises(Conflict, match=words):
        await here.obey(Load(capability))


async def test_what_was_asked_for_can_be_replayed(tmp_path: Path) -> None:
    """When and which model, with what the simulator needs to know of it; a rehearsal is no request."""
    here, _ = residency()
    for _ in range(3):
        here.arbiter.lease(FakeModel("recognition:1")).end()
    (report,) = await here.obey(Recall())
    assert report.trace
    (tmp_path / "trace").write_text(report.trace)
    trace = read_trace(tmp_path / "trace")
    assert [(model.tag, model.task, model.bytes) for model in trace.models] == [("recognition:1", "recognition", 100)]
    assert trace.asked.tolist() == [0, 0, 0]


async def test_a_capability_that_nothing_serves() -> None:
    here, models = residency()
    models.activate(Capability.RECOGNITION, None)
    with pytest.raises(ModelNotInstalled):
        await here.obey(Load(Capability.RECOGNITION))


async def test_other_rules_and_stands() -> None:
    here, _ = residency()
    settings = VramSettings(
        policy="lru", residency_s=1, models={"recognition": StandSettings(zone="flexible", pin=True)}
    )
    (report,) = await here.obey(Restate(settings.model_dump(mode="json")))
    assert report.cards[0].policy == "lru"
    assert (report.cards[0].models[0].zone, report.cards[0].models[0].pin) == ("flexible", True)
    assert rules_of(settings).residency == 1
    assert stands_of(settings) == {"recognition": Stand("flexible", pin=True)}


async def test_orders_and_reports_cross_processes() -> None:
    """As they are sent to the process that owns the card, and back."""
    here, _ = residency()
    for order in (Look(), Load(Capability.DEEPFAKE), Restate({"policy": "lru"})):
        assert wire.decode(wire.encode(order), Order) == order  # type: ignore[arg-type]
    reports = await here.obey(Look())
    assert wire.open_reply(wire.reply(reports), tuple[ProcessReport, ...]) == reports


def test_the_service_plans_as_the_simulator_does() -> None:
    """The configuration's defaults are those that were judged in the contest."""
    assert rules_of(VramSettings()) == Rules()
    assert VramSettings().headroom_mib << 20 == HEADROOM
