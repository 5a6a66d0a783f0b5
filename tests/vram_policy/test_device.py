"""Cards as the driver counts them; no driver is no card."""

from __future__ import annotations

from types import SimpleNamespace

import pynvml
import pytest

from vram_policy import device


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
    assert device.cards() == (device.Description(1 << 30, "GTX"), device.Description(2 << 30, "RTX"))
    assert closed == [1]


@pytest.mark.gpu
def test_this_machines_cards() -> None:
    """At least one, with some gigabytes."""
    if not device.cards():
        pytest.skip("no NVIDIA card here")
    assert min(card.total for card in device.cards()) > 1 << 30
