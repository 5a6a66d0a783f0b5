"""Whether an int8 variant pays, and the table that says so. Pure: figures in, words out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cli.bench.machine import Machine
from cli.bench.report import table

SPEEDUP: Final = 1.5
"""Least gain, at every batch size measured."""

COLUMNS: Final = ("network", "kB", "batch 1, ms", "batch 6, ms", "gain", "figures", "verdict")


@dataclass(frozen=True, slots=True)
class Merit:
    """A figure of merit, and how much int8 may cost: a share of its value, or (`relative` False) in its own unit."""

    name: str
    allowed: float = 0.01
    relative: bool = True
    rising: bool = True


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of the float32 network and of its int8 variant."""

    merit: Merit
    before: float
    after: float

    @property
    def loss(self) -> float:
        """What int8 costs; negative where it is better."""
        loss = (self.before - self.after) * (1 if self.merit.rising else -1)
        return loss / abs(self.before) if self.merit.relative else loss

    @property
    def holds(self) -> bool:
        """Whether the loss is allowed."""
        return self.loss <= self.merit.allowed + 1e-9  # decimal limits, binary figures

    def __str__(self) -> str:
        return f"{self.merit.name} {self.before:.4g} → {self.after:.4g}"


@dataclass(frozen=True, slots=True)
class Times:
    """Median milliseconds of one run, and the median over blocks of their quotient."""

    batch: int
    before: float
    after: float
    gain: float


@dataclass(frozen=True, slots=True)
class Trial:
    """A network and its int8 variant. No `figures`: there was no data to judge it by."""

    name: str
    bytes_before: int
    bytes_after: int
    times: tuple[Times, ...]
    figures: tuple[Figure, ...]

    @property
    def objections(self) -> tuple[str, ...]:
        """Why it does not pay; none: it does."""
        slow = [f"{one.gain:.2f} × at batch {one.batch}" for one in self.times if one.gain < SPEEDUP]
        poor = [f"loses {figure.loss:.2%} of {figure.merit.name}" for figure in self.figures if not figure.holds]
        return (*slow, *poor, *(() if self.figures else ("accuracy not judged",)))

    @property
    def pays(self) -> bool:
        """Faster by `SPEEDUP` at every batch size, at a loss that is allowed in every figure."""
        return not self.objections

    def describe(self) -> str:
        """For the entry of the variant: what was measured."""
        gains = ", ".join(f"{one.gain:.2f} × as fast at batch {one.batch}" for one in self.times)
        figures = ", ".join(map(str, self.figures)) or "accuracy not judged"
        return f"float32 → int8: {figures}; {gains}"


def markdown(trials: Sequence[Trial], kept: Sequence[str], machine: Machine, notes: str) -> str:
    """The section of docs/benchmarks.md; `kept` are the names whose variants were registered."""
    rows = [_row(trial, trial.name in kept) for trial in trials]
    return f"## int8 on the CPU\n\n{notes}\n\n{machine}.\n\n{table(COLUMNS, rows)}"


def _row(trial: Trial, kept: bool) -> tuple[str, ...]:
    times = {one.batch: f"{one.before:.2f} → {one.after:.2f}" for one in trial.times}
    reasons = "; ".join(trial.objections)
    verdict = "kept" if trial.pays else f"kept as asked: {reasons}" if kept else f"not kept: {reasons}"
    return (
        trial.name,
        f"{trial.bytes_before / 1000:.0f} → {trial.bytes_after / 1000:.0f}",
        times.get(1, "–"),
        times.get(6, "–"),
        ", ".join(f"{one.gain:.2f}" for one in trial.times),
        ", ".join(map(str, trial.figures)) or "–",
        verdict,
    )
