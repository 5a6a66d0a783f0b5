"""Training as all five do it: AdamW, one cosine, averaged weights; a curve on disk; a stopped run goes on."""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor, nn

SAVE_S: Final = 60.0
"""Seconds between checkpoints."""

AHEAD: Final = 4
"""Batches made before they are needed."""

console = Console(stderr=True)

Batch = tuple[Any, ...]
"""Arrays of a step, an item per row."""

Losses = Mapping[str, Tensor]
"""Parts of the loss by name; their sum is what is minimised."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long and how fast.

    Attributes:
        steps: batches in all.
        rate: the highest learning rate; reached after `warmup` steps, 0 at the end.
        decay: weight decay of AdamW.
        averaging: half-life of the averaged weights, which are the ones kept, in steps.
        log: steps between points of the curve.
        judge: steps between judgements, a multiple of `log`.
    """

    steps: int
    rate: float
    warmup: int = 500
    decay: float = 0.02
    averaging: int = 300
    log: int = 100
    judge: int = 2000

    @classmethod
    def brief(cls, steps: int, rate: float) -> Schedule:
        """For a network that has seen all its pictures after a few hundred steps."""
        return cls(steps, rate, warmup=100, decay=0.05, averaging=100, log=50, judge=500)


def device() -> torch.device:
    """The first CUDA card, or the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def fit(
    network: nn.Module,
    batches: Callable[[int], Batch],
    losses: Callable[[nn.Module, Batch], Losses],
    schedule: Schedule,
    folder: Path,
    judge: Callable[[nn.Module], Mapping[str, float]] | None = None,
) -> nn.Module:
    """Trains and gives the network with averaged weights, ready to be exported.

    Args:
        network: on the CPU.
        batches: the batch of a step, as numpy arrays; the same step must give the same batch. Called in a thread of
            its own, which works while the network does.
        losses: of the network on a batch, which is tensors by then, on the network's device.
        schedule: how long.
        folder: keeps `checkpoint.pt` and `curve.jsonl`; a run in the same folder goes on where the last one stopped,
            and ends with the weights it would have had.
        judge: figures of the averaged network for the curve, now and then and at the end.

    Raises:
        ValueError: the run in `folder` had another schedule.
    """
    folder.mkdir(parents=True, exist_ok=True)
    run = _Run.of(network.to(device(), memory_format=torch.channels_last), schedule, folder)
    first = run.resume()
    began = saved = time.monotonic()
    points: list[Losses] = []
    with _progress() as progress:
        bar = progress.add_task(folder.name, total=schedule.steps, completed=first, figures="")
        for step, batch in zip(range(first, schedule.steps), _prefetched(batches, first, schedule.steps), strict=True):
            points.append(run.learn(step, losses, batch))
            done, last = step + 1, step + 1 == schedule.steps
            if done % schedule.log == 0 or last:
                figures = {name: float(np.mean([float(point[name]) for point in points])) for name in points[0]}
                if judge and (done % schedule.judge == 0 or last):
                    figures |= judge(run.averaged.module)
                run.note(done, figures, time.monotonic() - began)
                progress.update(bar, figures="  ".join(f"{name} {value:.4f}" for name, value in figures.items()))
                points = []
            progress.update(bar, completed=done)
            if last or time.monotonic() - saved > SAVE_S:
                run.save(done)
                saved = time.monotonic()
    kept: nn.Module = run.averaged.module.cpu()
    return kept


@dataclass(frozen=True, slots=True)
class _Run:
    network: nn.Module
    averaged: torch.optim.swa_utils.AveragedModel
    optimiser: torch.optim.Optimizer
    schedule: Schedule
    folder: Path

    @classmethod
    def of(cls, network: nn.Module, schedule: Schedule, folder: Path) -> _Run:
        keep = torch.optim.swa_utils.get_ema_multi_avg_fn(0.5 ** (1 / schedule.averaging))
        averaged = torch.optim.swa_utils.AveragedModel(network, multi_avg_fn=keep, use_buffers=True).eval()
        weights = list(network.parameters())
        groups = [
            {"params": [weight for weight in weights if weight.ndim > 1], "weight_decay": schedule.decay},
            {"params": [weight for weight in weights if weight.ndim <= 1], "weight_decay": 0.0},
        ]
        return cls(network, averaged, torch.optim.AdamW(groups), schedule, folder)

    def learn(self, step: int, losses: Callable[[nn.Module, Batch], Losses], batch: Batch) -> Losses:
        """One step; the parts of its loss."""
        for group in self.optimiser.param_groups:
            group["lr"] = _rate(self.schedule, step)
        self.network.train()
        parts = losses(self.network, tuple(array.to(device()) for array in batch))
        self.optimiser.zero_grad(set_to_none=True)
        torch.stack(list(parts.values())).sum().backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
        self.optimiser.step()
        self.averaged.update_parameters(self.network)
        return {name: part.detach() for name, part in parts.items()}

    def save(self, step: int) -> None:
        part = self.folder / "checkpoint.part"
        state = {name: item.state_dict() for name, item in self._items()}
        chance = {"chance": torch.get_rng_state(), "on card": torch.cuda.get_rng_state_all()}  # of dropout
        torch.save({"step": step, "schedule": astuple(self.schedule)} | chance | state, part)
        part.replace(self.folder / "checkpoint.pt")

    def resume(self) -> int:
        """The step to go on with."""
        file = self.folder / "checkpoint.pt"
        if not file.exists():
            return 0
        state = torch.load(file, map_location=device(), weights_only=True)
        if tuple(state["schedule"]) != astuple(self.schedule):
            raise ValueError(f"{self.folder} holds a run of another schedule: {state['schedule']}")
        for name, item in self._items():
            item.load_state_dict(state[name])
        torch.set_rng_state(state["chance"].cpu())
        torch.cuda.set_rng_state_all([chance.cpu() for chance in state["on card"]])
        self._cut(state["step"])
        console.print(f"goes on at step {state['step']} ({file})")
        return int(state["step"])

    def _cut(self, step: int) -> None:
        """Points behind the checkpoint will be drawn again."""
        curve = self.folder / "curve.jsonl"
        lines = curve.read_text().splitlines(keepends=True) if curve.exists() else []
        curve.write_text("".join(line for line in lines if json.loads(line)["step"] <= step))

    def note(self, step: int, figures: Mapping[str, float], seconds: float) -> None:
        with (self.folder / "curve.jsonl").open("a") as curve:
            curve.write(json.dumps({"step": step, "seconds": round(seconds, 1), **figures}) + "\n")

    def _items(self) -> list[tuple[str, Any]]:
        return [("network", self.network), ("averaged", self.averaged), ("optimiser", self.optimiser)]


def _prefetched(batches: Callable[[int], Batch], first: int, steps: int) -> Iterator[Batch]:
    """A thread, for a process forked beside torch's own threads may never wake."""
    ahead: deque[Future[Batch]] = deque()
    with ThreadPoolExecutor(1) as thread:
        for step in range(first, steps + AHEAD):
            if step < steps:
                ahead.append(thread.submit(batches, step))
            if step >= first + AHEAD and ahead:
                yield tuple(torch.from_numpy(array) for array in ahead.popleft().result())


def _rate(schedule: Schedule, step: int) -> float:
    if step < schedule.warmup:
        return schedule.rate * (step + 1) / schedule.warmup
    done = (step - schedule.warmup) / max(1, schedule.steps - schedule.warmup)
    return schedule.rate * 0.5 * (1 + float(np.cos(np.pi * done)))


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[figures]}"),
        console=console,
    )
