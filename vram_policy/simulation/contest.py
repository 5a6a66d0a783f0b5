"""Every policy on every trace and card, as shares of the best possible. Tuning and reporting use different seeds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Final

from vram_policy.simulation.bound import STEPS, bound
from vram_policy.simulation.optimum import MODELS_MOST, optimum
from vram_policy.simulation.policies import OURS, POLICIES, Contestant
from vram_policy.simulation.replay import Outcome, replay
from vram_policy.simulation.trace import Trace

TUNING: Final = range(1000, 1010)
"""Seeds on which a policy may be changed."""

REPORTING: Final = range(1, 9)
"""Seeds whose figures are told; no policy was changed after them."""

BARS: Final[Mapping[str, Mapping[str, float]]] = {
    "6GiB": {
        **dict.fromkeys(("steady", "diurnal", "scan", "thrash", "flash", "loop"), 0.90),
        "pipeline": 0.85,
        "bursty": 0.80,
    },
    "4GiB": {
        **dict.fromkeys(("steady", "diurnal", "scan", "flash"), 0.85),
        "loop": 0.75,
        **dict.fromkeys(("bursty", "thrash", "pipeline"), 0.65),
    },
}
"""Share of the bound that ours must reach, mean over seeds."""

WORST: Final = {"6GiB": 0.75, "4GiB": 0.55}
"""And on each single seed."""


@dataclass(frozen=True, slots=True)
class Standing:
    """One policy on one kind of trace and one card; a value per seed.

    Attributes:
        bounds: net benefit that nobody can pass: `optimum` where it can be computed.
        prices: the bound of design §3, by a price for memory; never lower.
    """

    card: str
    trace: str
    policy: str
    outcomes: tuple[Outcome, ...]
    bounds: tuple[float, ...]
    prices: tuple[float, ...]

    @property
    def shares(self) -> tuple[float, ...]:
        """Of the bound, by seed; 1 where nothing could be saved."""
        pairs = zip(self.outcomes, self.bounds, strict=True)
        return tuple(outcome.net / most if most > 0 else 1.0 for outcome, most in pairs)

    @property
    def share(self) -> float:
        """Mean over the seeds."""
        return fmean(self.shares)

    @property
    def priced(self) -> float:
        """Mean share of the bound by a price."""
        pairs = zip(self.outcomes, self.prices, strict=True)
        return fmean(outcome.net / most if most > 0 else 1.0 for outcome, most in pairs)

    def mean(self, measure: Callable[[Outcome], float]) -> float:
        """Of a measure, over the seeds."""
        return fmean(map(measure, self.outcomes))


def compare(
    traces: Sequence[Trace],
    card: str,
    budget: int,
    policies: Mapping[str, Contestant] = POLICIES,
    steps: int = STEPS,
) -> Iterator[Standing]:
    """Each policy on traces of one kind.

    Raises:
        AssertionError: a policy passed the bound.
    """
    limits = [limit(trace, budget, steps) for trace in traces]
    for policy, contestant in policies.items():
        outcomes = tuple(replay(trace, budget, contestant) for trace in traces)
        for outcome, (most, _) in zip(outcomes, limits, strict=True):
            if outcome.net > most + 1e-6:
                raise AssertionError(f"{policy} saved {outcome.net} CPU-seconds where {most} are the most")
        bounds, prices = zip(*limits, strict=True)
        yield Standing(card, traces[0].name, policy, outcomes, bounds, prices)


def limit(trace: Trace, budget: int, steps: int = STEPS) -> tuple[float, float]:
    """The most that can be saved, and the most by a price for memory; the latter twice for a trace of many models."""
    if len(trace.models) > MODELS_MOST:
        return (priced := bound(trace, budget, steps=steps)), priced
    best = optimum(trace, budget)
    return best, bound(trace, budget, steps=steps, aim=best)


def misses(standings: Sequence[Standing]) -> list[str]:
    """The bars that ours did not reach."""
    found = []
    for one in standings:
        bar = BARS.get(one.card, {}).get(one.trace)
        if one.policy == OURS and bar is not None:
            if one.share < bar:
                found.append(f"{one.trace} on {one.card}: {one.share:.3f} of the bound, wanted {bar}")
            if min(one.shares) < WORST[one.card]:
                found.append(f"{one.trace} on {one.card}: {min(one.shares):.3f} on the worst seed")
    return found
