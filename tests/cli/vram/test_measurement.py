"""One model, measured: sizes that repeat, times that are times, and memory that is not given back is seen."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
import onnxruntime
import pytest

from cli.bench.stage import child
from cli.vram import measurement
from cli.vram.measurement import GRAIN, Spent, environment, measure
from facesocial.capabilities import Capability
from facesocial.configuration import CpuSettings
from facesocial.errors import ModelNotInstalled
from models import profiles
from models.library import Library
from runners.cuda import PROVIDER
from runners.sessions import OnnxModel
from vram_policy.device import cards
from vram_policy.lease import Array

pytestmark = pytest.mark.integration

CPU = CpuSettings(batch=4)


def test_sizes_repeat_in_fresh_processes_and_are_kept_with_the_model(library: Library) -> None:
    installed = library.resolve(Capability.DEEPFAKE)
    taken = []
    for _ in range(2):
        with child({}) as process:
            taken.append(process.submit(measure, installed.tag, "cpu", CPU).result())
    first, second = taken
    assert 20 << 20 < first.peak < 1 << 30  # 4 pictures of 256×256 through 16 convolutions
    assert first.peak == pytest.approx(second.peak, rel=0.2)
    assert first.weights < first.steady <= first.peak
    assert abs(first.kept) < 0.1 * first.peak + GRAIN
    assert 0 < first.cpu < first.cpu_most
    assert 0 < first.load < 60
    model = OnnxModel(installed, CPU)
    assert profiles.read(installed, model.key("simulated")) == second
    assert model.profile("simulated:1GiB").footprint.peak == second.peak
    assert not OnnxModel(installed, CpuSettings(batch=3)).profile("simulated").measured


def test_a_model_that_is_not_there(library: Library) -> None:
    with pytest.raises(ModelNotInstalled):
        measure("nobody", "cpu", CPU)


class Memory:
    """A card's memory, as a number that sessions change."""

    def __init__(self, back: int) -> None:
        self.used = 1000
        self.back = back

    def gauge(self) -> int:
        """Bytes."""
        return self.used


class Session:
    """Takes 60 bytes, 40 more in its first run, 20 more while one runs, and gives back what `memory` says."""

    def __init__(self, memory: Memory) -> None:
        self.memory = memory
        memory.used += 60
        self.ran = False

    def run(self, inputs: Sequence[Array]) -> dict[str, Array]:
        """Slow enough to be watched."""
        self.memory.used += 20 + 40 * (not self.ran)
        self.ran = True
        time.sleep(0.05)
        self.memory.used -= 20
        return {"y": np.zeros(1)}

    def close(self) -> None:
        """Give back."""
        self.memory.used -= self.memory.back


@pytest.mark.parametrize(("back", "kept"), [(100, 0), (70, 30)])
def test_what_each_figure_means(library: Library, monkeypatch: pytest.MonkeyPatch, back: int, kept: int) -> None:
    """And the control: what a session keeps is not hidden by the first one having kept it too."""
    memory = Memory(back)
    model = OnnxModel(library.resolve(Capability.RECOGNITION), CPU)

    monkeypatch.setattr(measurement, "SECONDS", 0.0)
    on_cpu = Spent(0.2, 0.1), Spent(2.0, 1.0)
    measured = measurement._measure(model, lambda: Session(memory), memory.gauge, on_cpu, "a test")
    assert (measured.weights, measured.steady, measured.kept) == (60, 100, kept)
    assert measured.peak == 120
    assert 0.05 <= measured.gpu < 0.5
    assert measured.load >= 0.1
    assert (measured.cpu, measured.cpu_most) == (0.1, 1.0)


def test_memory_that_comes_back_late_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = iter([9 * GRAIN, 9 * GRAIN, GRAIN])
    measurement._await_release(lambda: next(looks), 0)
    assert next(looks, None) is None
    monkeypatch.setattr(measurement, "RELEASE", 0.02)
    measurement._await_release(lambda: 9 * GRAIN, 0)


def test_the_process_sees_the_card_that_is_measured() -> None:
    """By the driver's number, whatever CUDA would call it."""
    assert environment("cuda:1") == {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", "CUDA_VISIBLE_DEVICES": "1"}
    assert environment("cpu") == {}


@pytest.mark.gpu
def test_a_real_card_is_measured(library: Library) -> None:
    """And what was closed is given back, within a tenth (R11)."""
    if PROVIDER not in onnxruntime.get_available_providers() or not cards():
        pytest.skip("no NVIDIA card here, or this ONNX Runtime was built without CUDA")
    installed = library.resolve(Capability.DEEPFAKE)
    with child(environment("cuda:0")) as process:
        measured = process.submit(measure, installed.tag, "cuda:0", CPU).result()
    assert 0 < measured.weights <= measured.steady <= measured.peak
    assert abs(measured.kept) <= 0.1 * measured.steady + GRAIN
    assert measured.gpu_most < measured.cpu_most
    assert OnnxModel(installed, CPU).profile(cards()[0].name).measured
