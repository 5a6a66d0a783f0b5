"""Training as all five do it: AdamW, one cosine, averaged weights; a curve on disk; a stopped run goes on."""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor, nn

AHEAD: Final = 4
"""Batches made before they are needed."""

WEIGHTS: Final = "weights.pt"

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
        save_s: seconds between checkpoints.
        log: steps between points of the curve.
    """

    steps: int
    rate: float = 1e-3
    warmup: int = 200
    decay: float = 0.02
    averaging: int = 300
    save_s: float = 60.0
    log: int = 100


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
    judge_every: int = 2000,
) -> nn.Module:
    """Trains and gives the network with averaged weights, ready to be exported.

    Args:
        network: on the CPU.
        batches: the batch of a step, as numpy arrays; the same step must give the same batch. Called in a thread of
            its own, which works while the network does.
        losses: of the network on a batch, which is tensors by then, on the network's device.
        schedule: how long.
        folder: keeps `checkpoint.pt`, `curve.jsonl` and, in the end, `weights.pt`; a run in the same folder goes on
            where the last one stopped.
        judge: figures of the averaged network for the curve, every `judge_every` steps and at the end.
        judge_every: see `judge`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    place = device()
    network.to(place, memory_format=torch.channels_last)
    decayed = [weight for weight in network.parameters() if weight.ndim > 1]
    others = [weight for weight in network.parameters() if weight.ndim <= 1]
    optimiser = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": schedule.decay}, {"params": others, "weight_decay": 0.0}]
    )
    keep = 0.5 ** (1 / schedule.averaging)
    averaged = torch.optim.swa_utils.AveragedModel(
        network, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(keep), use_buffers=True
    )
    run = _Run(network, averaged, optimiser, folder)
    first = run.resume()
    saved, sums, seen, began = time.monotonic(), dict[str, float](), 0, time.monotonic()
    with _progress() as progress:
        bar = progress.add_task(folder.name, total=schedule.steps, completed=first, figures="")
        for step, batch in zip(range(first, schedule.steps), _prefetched(batches, first, schedule.steps), strict=True):
            for group in optimiser.param_groups:
                group["lr"] = _rate(schedule, step)
            network.train()
            parts = losses(network, tuple(array.to(place) for array in batch))
            total = torch.stack(list(parts.values())).sum()
            optimiser.zero_grad(set_to_none=True)
            total.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 5.0)
            optimiser.step()
            averaged.update_parameters(network)
            for name, value in parts.items():
                sums[name] = sums.get(name, 0.0) + float(value.detach())
            seen += 1
            last = step + 1 == schedule.steps
            if seen == schedule.log or last:
                figures = {name: value / seen for name, value in sums.items()}
                if judge and ((step + 1) % judge_every < schedule.log or last):
                    averaged.module.eval()
                    figures |= judge(averaged.module)
                run.note(step + 1, figures, time.monotonic() - began)
                progress.update(bar, figures="  ".join(f"{name} {value:.4f}" for name, value in figures.items()))
                sums, seen = {}, 0
            progress.update(bar, completed=step + 1)
            if last or time.monotonic() - saved > schedule.save_s:
                run.save(step + 1)
                saved = time.monotonic()
    kept: nn.Module = averaged.module.eval().cpu()
    torch.save(kept.state_dict(), folder / WEIGHTS)
    return kept


def load(network: nn.Module, folder: Path) -> nn.Module:
    """The network with the weights that `fit` left in this folder."""
    network.load_state_dict(torch.load(folder / WEIGHTS, weights_only=True))
    return network.eval()


@dataclass(frozen=True, slots=True)
class _Run:
    network: nn.Module
    averaged: nn.Module
    optimiser: torch.optim.Optimizer
    folder: Path

    def save(self, step: int) -> None:
        part = self.folder / "checkpoint.part"
        torch.save({"step": step} | {name: item.state_dict() for name, item in self._items()}, part)
        part.replace(self.folder / "checkpoint.pt")

    def resume(self) -> int:
        """The step to go on with."""
        file = self.folder / "checkpoint.pt"
        if not file.exists():
            return 0
        state = torch.load(file, weights_only=True)
        for name, item in self._items():
            item.load_state_dict(state[name])
        console.print(f"goes on at step {state['step']} ({file})")
        return int(state["step"])

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
