"""An arbiter of a simulated card, in a time that stands still or in the real one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.vram_policy.fakes import INPUT, FakeModel
from tests.vram_policy.manual import Clock, ManualLoader
from vram_policy import CpuArbiter
from vram_policy.arbiter import GpuArbiter
from vram_policy.plan import Rules
from vram_policy.report import ModelReport
from vram_policy.simulated import Behaviour, SimulatedGpu

AT_ONCE = Rules(policy="lru", residency=0.0)
"""Everything that fits is loaded, everything idle may leave."""


class Bench:
    """An arbiter of a card of 1000 bytes in a time that stands still."""

    def __init__(
        self, total: int = 1000, budget: int | None = None, rules: Rules = AT_ONCE, behaviour: Behaviour | None = None
    ) -> None:
        self.clock, self.loader = Clock(), ManualLoader()
        self.gpu = SimulatedGpu(total, behaviour, clock=self.clock, sleep=self.clock.sleep)
        self.lost: list[str] = []
        self.arbiter = GpuArbiter(
            self.gpu,
            total if budget is None else budget,
            CpuArbiter(),
            context=0,
            headroom=0,
            rules=rules,
            loader=self.loader,
            lost=self.lost.append,
            clock=self.clock,
        )

    def know(self, *models: FakeModel) -> None:
        """Each has been rehearsed."""
        for model in models:
            self.arbiter.lease(model).end()

    def ask(self, model: FakeModel) -> str:
        """One request; where it was answered."""
        with self.arbiter.lease(model) as lease:
            return str(lease.session.run(INPUT)["device"]) and lease.device

    def settle(self) -> None:
        """Every load and unload ends."""
        self.loader.finish(self.clock)

    def bring(self, *models: FakeModel) -> None:
        """Onto the card."""
        for model in models:
            self.know(model)
            self.ask(model)
            self.settle()
            assert self.ask(model) == "simulated:0"

    def of(self, model: FakeModel) -> ModelReport:
        """What the arbiter says of it."""
        return next(one for one in self.arbiter.report().models if one.tag == model.tag)


@contextmanager
def threaded(gpu: SimulatedGpu, budget: int) -> Iterator[GpuArbiter]:
    """With real threads and real time."""
    arbiter = GpuArbiter(gpu, budget, CpuArbiter(), context=0, headroom=0, rules=AT_ONCE)
    yield arbiter
    arbiter.close()


def eventually(true: Callable[[], bool], seconds: float = 5.0) -> None:
    """Within the time, or the test fails."""
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until, "too late"
        time.sleep(0.005)
