"""Several cards: each model has a place on one of them, and moves when that card is lost."""

from __future__ import annotations

import pytest

from facesocial.errors import DeviceLost, OutOfDeviceMemory
from tests.vram_policy.bench import AT_ONCE
from tests.vram_policy.fakes import INPUT, FakeModel
from tests.vram_policy.manual import Clock, ManualLoader
from vram_policy import CpuArbiter
from vram_policy.arbiter import GpuArbiter
from vram_policy.cards import CardsArbiter
from vram_policy.simulated import SimulatedGpu

pytestmark = pytest.mark.unit


class Pair:
    """Two cards of one process, of 1000 and 600 bytes."""

    def __init__(self) -> None:
        self.clock, self.loader, self.cpu = Clock(), ManualLoader(), CpuArbiter()
        self.first, self.second = (self.card(index, total) for index, total in enumerate((1000, 600)))
        self.cards = CardsArbiter(self.cpu, [self.first, self.second])

    def card(self, index: int, total: int) -> GpuArbiter:
        """One of them."""
        gpu = SimulatedGpu(total, index=index, clock=self.clock, sleep=self.clock.sleep)
        return GpuArbiter(
            gpu, total, self.cpu, context=0, headroom=0, rules=AT_ONCE, loader=self.loader, clock=self.clock
        )

    def bring(self, *models: FakeModel) -> list[str]:
        """Asked for until they are there; where that is."""
        for model in models:
            self.cards.lease(model).end()
            self.cards.lease(model).end()
            self.loader.finish(self.clock)
        return [self.ask(model) for model in models]

    def ask(self, model: FakeModel) -> str:
        """One request."""
        with self.cards.lease(model) as lease:
            lease.session.run(INPUT)
            return lease.device


def test_a_model_goes_where_most_is_unpromised_and_stays() -> None:
    """1000 and 600: 300 leave 700 and 600; 200 more 500 and 600; the next goes to the second card."""
    pair = Pair()
    models = [FakeModel(f"m{size}:1", size=size) for size in (300, 200, 250, 260)]
    assert pair.bring(*models) == ["simulated:0", "simulated:0", "simulated:1", "simulated:0"]
    assert pair.cards.find("m250:1") is pair.second
    pair.cards.retire("m300:1")
    assert pair.ask(models[2]) == "simulated:1"
    assert pair.cards.find("m300:1") is None
    pair.cards.retire("unknown:1")


def test_the_models_of_a_lost_card_move() -> None:
    """The request that met the loss is answered by the CPU; the next ones by the other card."""
    pair, model, other = Pair(), FakeModel("model:1", size=300), FakeModel("other:1", size=200)
    assert pair.bring(model, other) == ["simulated:0", "simulated:0"]
    lease = pair.cards.lease(model)
    with pair.cards.failover(lease, DeviceLost("poisoned")) as again:
        assert again.device == "cpu"
    assert pair.bring(model, other) == ["simulated:1", "simulated:1"]
    assert pair.first.loss == "poisoned"
    assert pair.second.loss is None


def test_when_every_card_is_lost_the_cpu_answers() -> None:
    """All of them, and those that are new."""
    pair, model = Pair(), FakeModel(size=300)
    pair.bring(model)
    for card in (pair.first, pair.second):
        card.lost(DeviceLost("poisoned"))
    assert pair.bring(model, FakeModel("new:1")) == ["cpu", "cpu"]


def test_without_cards_the_cpu_answers() -> None:
    """And nothing stands behind it."""
    cards, model = CardsArbiter(CpuArbiter()), FakeModel()
    with pytest.raises(OutOfDeviceMemory):
        cards.failover(cards.lease(model), OutOfDeviceMemory("full"))
    assert cards.find(model.tag) is None
    cards.retire(model.tag)
    assert cards.lease(model).device == "cpu"
    assert model.opened == ["cpu", "cpu"]
