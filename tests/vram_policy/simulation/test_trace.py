"""Traces: what is in them, what a file holds, what a recorder keeps."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from facesocial.errors import ConfigurationError
from tests.vram_policy.simulation.small import model, trace
from vram_policy.simulation.trace import TraceRecorder, as_text, read_trace

pytestmark = pytest.mark.unit

MODELS = (model("one"), replace(model("other", "high"), pin=True))


def test_a_file_gives_the_trace_back(tmp_path: Path) -> None:
    requests = trace(MODELS, (0.0, 0), (1.25, 1), (1.25, 0), (7.0, 1))
    (tmp_path / "trace.jsonl").write_text(as_text(requests))
    back = read_trace(tmp_path / "trace.jsonl")
    assert back.models == MODELS
    assert (back.name, back.duration) == ("small", 1000.0)
    assert back.times.tolist() == requests.times.tolist()
    assert back.asked.tolist() == [0, 1, 0, 1]


def test_a_file_holds_offsets_and_models_alone(tmp_path: Path) -> None:
    (tmp_path / "trace.jsonl").write_text(as_text(trace(MODELS, (2.5, 1))))
    head, request = map(json.loads, (tmp_path / "trace.jsonl").read_text("utf-8").splitlines())
    assert set(head) == {"format", "name", "duration", "models"}
    assert request == [2500.0, 1]


def test_an_empty_trace_is_a_trace(tmp_path: Path) -> None:
    (tmp_path / "trace.jsonl").write_text(as_text(trace(MODELS)))
    assert len(read_trace(tmp_path / "trace.jsonl").times) == 0


@pytest.mark.parametrize("text", ["", "{}", "not json", '{"format": "another"}'])
def test_what_is_no_trace_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "file").write_text(text, "utf-8")
    with pytest.raises(ConfigurationError, match="is not a trace"):
        read_trace(tmp_path / "file")
    with pytest.raises(ConfigurationError):
        read_trace(tmp_path / "nothing")


@pytest.mark.parametrize("requests", [((3.0, 0), (2.0, 0)), ((-1.0, 0),), ((2000.0, 0),), ((1.0, 2),), ((1.0, -1),)])
def test_disorder_is_refused(requests: tuple[tuple[float, int], ...]) -> None:
    with pytest.raises(ValueError, match=r"times ascend|one of the models"):
        trace(MODELS, *requests)
    with pytest.raises(ValueError, match="a time and a model"):
        replace(trace(MODELS), times=np.zeros(1))


def test_a_recorder_keeps_the_last_requests() -> None:
    """Offsets from the first that is kept; tags that nobody knows any more are left out."""
    now = iter([100.0, 101.0, 102.5, 103.0, 110.0])
    recorder = TraceRecorder(clock=lambda: next(now), most=3)
    for tag in ("one", "other", "gone", "one"):
        recorder.record(tag)
    requests = recorder.trace({one.tag: one for one in MODELS})
    assert requests.times.tolist() == [0.0, 2.0]
    assert requests.asked.tolist() == [1, 0]
    assert requests.duration == 9.0


def test_nothing_recorded_is_an_empty_trace() -> None:
    assert len(TraceRecorder(clock=lambda: 5.0).trace({"one": MODELS[0]}).times) == 0
