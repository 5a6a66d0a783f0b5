"""The ways that the batching benchmark compares, and how it says so."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from cli.bench.batching import DIRECT, HALVES, JOINED, Case, HalvingCore, Timing, markdown
from cli.bench.machine import Machine
from cli.bench.measurement import Block, Series
from runners.core import Computed
from vram_policy.lease import Array

pytestmark = pytest.mark.unit


def _timing(*seconds: float, faces: int, cpu: float) -> Timing:
    return Timing(Series((Block(seconds, sum(seconds), faces),)), (cpu,))


def test_ratios_are_to_direct_and_what_was_not_measured_is_a_dash() -> None:
    """Twice the calls a second, at half of p95, for more CPU time."""
    ways = {DIRECT: _timing(0.02, 0.02, faces=6, cpu=4), JOINED: _timing(0.01, 0.01, faces=6, cpu=5)}
    text = markdown({Case("network", 6, 2): ways}, Machine.here())
    assert "| network | 6 | 2 | 300 | 20.0 | 20.0 | 4.00 | – | 2.00 (0.50, 1.25) | – |" in text
    assert HALVES in text


@pytest.mark.parametrize(("rows", "parts"), [(1, [1]), (6, [3, 3]), (5, [3, 2])])
def test_halves_run_every_row_once(rows: int, parts: list[int]) -> None:
    seen: list[list[int]] = []

    class Recorder:
        def retire(self) -> None:
            """Nothing to give back."""

        def run(self, inputs: Sequence[Array]) -> Computed:
            seen.append(inputs[0].tolist())
            return Computed({}, "cpu")

    with ThreadPoolExecutor(1) as pool:
        HalvingCore(Recorder(), 2, pool).run([np.arange(rows)])
    assert sorted(map(len, seen), reverse=True) == parts
    assert sorted(row for part in seen for row in part) == list(range(rows))
