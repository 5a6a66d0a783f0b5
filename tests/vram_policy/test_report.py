"""What operators are shown is what the books hold."""

from __future__ import annotations

import pytest

from facesocial.errors import DeviceLost
from tests.vram_policy.bench import AT_ONCE, Bench
from tests.vram_policy.fakes import FakeModel
from tests.vram_policy.manual import Clock, ManualLoader
from tests.vram_policy.observed import ObservedGpu
from vram_policy import CpuArbiter
from vram_policy.arbiter import GpuArbiter
from vram_policy.counts import Counts
from vram_policy.simulated import Behaviour

pytestmark = pytest.mark.unit


def test_the_books_beside_the_card() -> None:
    """Zones, models and sums."""
    bench = Bench(budget=900)
    there, away = FakeModel("there:1", size=300), FakeModel("away:1", zone="flexible", size=2000)
    bench.bring(there)
    bench.know(away)
    bench.ask(away)
    bench.clock.sleep(5)
    report = bench.arbiter.report()
    assert (report.device, report.policy, report.total, report.own, report.charged) == (
        "simulated:0",
        "lru",
        1000,
        300,
        300,
    )
    assert report.free == 700
    assert [report.zones[zone].guaranteed for zone in ("critical", "high", "flexible")] == [300, 375, 225]
    assert [zone.used for zone in report.zones.values()] == [0, 300, 0]
    first, second = report.models
    assert (first.state, first.charged, first.note) == ("ready", 300, None)
    assert first.idle == pytest.approx(5, abs=0.1)
    assert (second.state, second.charged, second.note) == ("absent", 0, "larger than the budget")
    assert report.counts == Counts(answers=1, spills=2, loads=1)


def test_a_card_that_does_not_answer_has_no_numbers() -> None:
    """The books are shown all the same, and the loss."""
    card = ObservedGpu(1000, Behaviour(), Clock())
    arbiter = GpuArbiter(card, 900, CpuArbiter(), context=0, headroom=0, rules=AT_ONCE, loader=ManualLoader())
    card.dead = True
    report = arbiter.report()
    assert (report.total, report.free, report.own, report.budget) == (None, None, None, 900)
    assert report.lost == "the driver does not answer"
    arbiter.lost(DeviceLost("again"))
    assert arbiter.report().lost == "the driver does not answer"
