"""Cards as the driver counts them; no driver is no card, and a driver that is gone is a lost card."""

from __future__ import annotations

import os
from collections.abc import Iterator
from types import SimpleNamespace

import pynvml
import pytest

from facesocial.errors import DeviceLost
from tests.vram_policy.fakes import FakeModel
from vram_policy import device
from vram_policy.card import Memory
from vram_policy.device import NvidiaCard


class FakeDriver:
    """One card of 1000 bytes; `processes` are what the driver says of each, None where it does not say."""

    def __init__(self) -> None:
        self.used = 100
        self.processes: dict[int, int | None] = {1: 100}
        self.gone: Exception | None = None
        self.silent: Exception | None = None

    def info(self, handle: object) -> SimpleNamespace:
        """The card's."""
        if self.gone:
            raise self.gone
        return SimpleNamespace(total=1000, free=1000 - self.used, used=self.used)

    def running(self, handle: object) -> list[SimpleNamespace]:
        """Each process's."""
        if self.silent:
            raise self.silent
        return [SimpleNamespace(pid=pid, usedGpuMemory=held) for pid, held in self.processes.items()]


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeDriver]:
    """In place of NVML."""
    driver = FakeDriver()
    monkeypatch.setattr(pynvml, "nvmlInit", lambda: None)
    monkeypatch.setattr(pynvml, "nvmlDeviceGetHandleByIndex", lambda index: index)
    monkeypatch.setattr(pynvml, "nvmlDeviceGetName", lambda handle: "RTX 3060")
    monkeypatch.setattr(pynvml, "nvmlDeviceGetMemoryInfo", driver.info)
    monkeypatch.setattr(pynvml, "nvmlDeviceGetComputeRunningProcesses", driver.running)
    device._start.cache_clear()
    yield driver
    device._start.cache_clear()


@pytest.mark.unit
def test_without_a_driver_there_is_no_card(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise pynvml.NVMLError(pynvml.NVML_ERROR_LIBRARY_NOT_FOUND)

    monkeypatch.setattr(pynvml, "nvmlInit", refuse)
    assert device.cards() == ()


@pytest.mark.unit
def test_every_card_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    closed = []
    monkeypatch.setattr(pynvml, "nvmlInit", lambda: None)
    monkeypatch.setattr(pynvml, "nvmlShutdown", lambda: closed.append(1))
    monkeypatch.setattr(pynvml, "nvmlDeviceGetCount", lambda: 2)
    monkeypatch.setattr(pynvml, "nvmlDeviceGetHandleByIndex", lambda index: index)
    monkeypatch.setattr(pynvml, "nvmlDeviceGetMemoryInfo", lambda handle: SimpleNamespace(total=(handle + 1) << 30))
    monkeypatch.setattr(pynvml, "nvmlDeviceGetName", lambda handle: b"RTX" if handle else "GTX")
    monkeypatch.setattr(pynvml, "nvmlDeviceGetUUID", lambda handle: f"GPU-{handle}")
    assert device.cards() == (device.Description(1 << 30, "GTX", "GPU-0"), device.Description(2 << 30, "RTX", "GPU-1"))
    assert closed == [1]


@pytest.mark.unit
def test_the_drivers_number_for_this_process_counts(driver: FakeDriver) -> None:
    """Whatever others take."""
    card = NvidiaCard(0, 0, "RTX 3060")
    assert (card.device, card.name) == ("cuda:0", "RTX 3060")
    assert card.memory() == Memory(1000, 900, 0)
    card.open(FakeModel())
    driver.used, driver.processes = 700, {1: 100, os.getpid(): 250}
    assert card.memory() == Memory(1000, 300, 250)


@pytest.mark.unit
@pytest.mark.parametrize("how", ["unknown", "nothing", "unlisted", "not supported", "not permitted"])
def test_where_the_driver_does_not_say_the_growth_counts(driver: FakeDriver, how: str) -> None:
    """From the first session on; never less than nothing."""
    if how == "unknown":
        driver.processes[os.getpid()] = None
    if how == "nothing":
        driver.processes[os.getpid()] = 0
    if how.startswith("not "):
        reason = pynvml.NVML_ERROR_NOT_SUPPORTED if how == "not supported" else pynvml.NVML_ERROR_NO_PERMISSION
        driver.silent = pynvml.NVMLError(reason)
    card = NvidiaCard(0, 0, "RTX 3060")
    assert card.memory() == Memory(1000, 900, 0)
    card.open(FakeModel())
    driver.used = 300
    assert card.memory() == Memory(1000, 700, 200, exact=False)
    driver.used = 50
    assert card.memory() == Memory(1000, 950, 0, exact=False)


@pytest.mark.unit
def test_a_driver_that_does_not_answer_is_a_lost_card(driver: FakeDriver) -> None:
    """When it is looked at, and when it is first looked for."""
    card = NvidiaCard(0, 0, "RTX 3060")
    driver.gone = pynvml.NVMLError(pynvml.NVML_ERROR_GPU_IS_LOST)
    with pytest.raises(DeviceLost, match="cuda:0"):
        card.memory()
    with pytest.raises(DeviceLost, match="cuda:1"):
        NvidiaCard(1, 0, "RTX 3060").memory()
    driver.gone, driver.silent = None, driver.gone
    with pytest.raises(DeviceLost):
        card.memory()


@pytest.mark.unit
def test_a_model_is_opened_where_cuda_counts_the_card(driver: FakeDriver) -> None:
    """The third card is this process's first."""
    model = FakeModel()
    card = NvidiaCard(2, 0, "RTX 3060")
    card.open(model)
    assert card.device == "cuda:2"
    assert model.opened == ["cuda:0"]


@pytest.mark.gpu
def test_a_real_card_tells_its_memory() -> None:
    """Some of it free, and none of it ours yet."""
    if not device.cards():
        pytest.skip("no NVIDIA card here")
    memory = NvidiaCard(0, 0, "RTX 3060").memory()
    assert 0 <= memory.free <= memory.total == device.cards()[0].total
    assert memory.own == 0


@pytest.mark.gpu
def test_this_machines_cards() -> None:
    """At least one, with some gigabytes."""
    if not device.cards():
        pytest.skip("no NVIDIA card here")
    assert min(card.total for card in device.cards()) > 1 << 30
