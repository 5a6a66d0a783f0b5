"""A run that was stopped ends where an undisturbed one ends."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch lives in .venv-training, which scripts/train makes")

from training import loop  # noqa: E402
from training.loop import Batch, Losses, Schedule, fit  # noqa: E402

pytestmark = pytest.mark.unit

SCHEDULE = Schedule(steps=40, rate=1e-2, warmup=5, averaging=5, log=10, judge=20)


class Stopped(Exception):
    """As a key press would."""


def batch(step: int) -> Batch:
    generator = np.random.default_rng(step)
    inputs = generator.normal(size=(16, 4)).astype(np.float32)
    return inputs, inputs @ np.array([[1], [-2], [3], [0.5]], np.float32)


def losses(network: object, batch: Batch) -> Losses:
    inputs, wanted = batch
    return {"square": (network(inputs) - wanted).pow(2).mean()}  # type: ignore[operator]


def linear() -> object:
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Dropout(0.1), torch.nn.Linear(4, 1))


def test_a_stopped_run_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights and steps are those of a run that was left alone; the curve has every point once."""
    whole = fit(linear(), batch, losses, SCHEDULE, tmp_path / "whole")
    save = loop._Run.save
    monkeypatch.setattr(loop, "SAVE_S", -1.0)  # every step
    monkeypatch.setattr(loop._Run, "save", lambda run, step: save(run, step) if step <= 22 else None)

    def until_33(step: int) -> Batch:
        if step == 33:
            raise Stopped
        return batch(step)

    with pytest.raises(Stopped):
        fit(linear(), until_33, losses, SCHEDULE, tmp_path / "part")
    monkeypatch.undo()
    gone_on = fit(linear(), batch, losses, SCHEDULE, tmp_path / "part")
    for one, other in zip(whole.parameters(), gone_on.parameters(), strict=True):
        torch.testing.assert_close(one, other)
    steps = [json.loads(line)["step"] for line in (tmp_path / "part" / "curve.jsonl").read_text().splitlines()]
    assert steps == [10, 20, 30, 40]


def test_a_run_of_another_schedule_is_not_gone_on_with(tmp_path: Path) -> None:
    fit(linear(), batch, losses, SCHEDULE, tmp_path)
    with pytest.raises(ValueError, match="another schedule"):
        fit(linear(), batch, losses, replace(SCHEDULE, steps=50), tmp_path)


def test_it_has_learned(tmp_path: Path) -> None:
    network = fit(linear(), batch, losses, SCHEDULE, tmp_path)
    inputs, wanted = (torch.from_numpy(array) for array in batch(999))
    fresh, learned = ((one(inputs) - wanted).pow(2).mean() for one in (linear(), network))  # type: ignore[operator]
    assert bool(learned < fresh)


def test_the_judge_is_asked_now_and_then_and_at_the_end(tmp_path: Path) -> None:
    fit(linear(), batch, losses, SCHEDULE, tmp_path, judge=lambda _: {"figure": 7.0})
    points = [json.loads(line) for line in (tmp_path / "curve.jsonl").read_text().splitlines()]
    assert [point["step"] for point in points if "figure" in point] == [20, 40]
