"""The cards of this machine. The one file that talks to NVML."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache
from typing import Final

import pynvml
import structlog

from facesocial.errors import DeviceLost
from vram_policy.card import Memory
from vram_policy.lease import Loadable, Session

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Description:
    """One card, in the driver's order: bytes of its memory, and the product's name."""

    total: int
    name: str


def cards() -> tuple[Description, ...]:
    """Of this machine; none without a driver. With `CUDA_DEVICE_ORDER=PCI_BUS_ID` CUDA counts them alike."""
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return ()
    try:
        handles = [pynvml.nvmlDeviceGetHandleByIndex(index) for index in range(pynvml.nvmlDeviceGetCount())]
        return tuple(Description(int(pynvml.nvmlDeviceGetMemoryInfo(one).total), _name(one)) for one in handles)
    except pynvml.NVMLError as error:  # a card that shares the machine's memory has none of its own to count
        log.warning("the cards cannot be counted: served without", reason=str(error))
        return ()
    finally:
        pynvml.nvmlShutdown()


class NvidiaCard:
    """A `Card`. What this process holds comes from the driver where it says so for each process.

    Where it does not (WSL2, Windows, a container with its own process numbers), it is what the card's use has grown by
    since the process first looked: other programs' memory counts as ours then, which only lowers the capacity.

    Args:
        index: in the driver's order.
        ordinal: what CUDA calls it in this process, which may see only some of the cards.
    """

    def __init__(self, index: int, ordinal: int) -> None:
        self.device: Final = f"cuda:{index}"
        self._ordinal = ordinal
        try:
            _start()
            self._handle = pynvml.nvmlDeviceGetHandleByIndex(index)
            self.name: Final = _name(self._handle)
            self._before = int(pynvml.nvmlDeviceGetMemoryInfo(self._handle).used)
        except pynvml.NVMLError as error:
            raise DeviceLost(f"the driver does not answer for {self.device}") from error
        self._opened = False

    def memory(self) -> Memory:
        """See `Card.memory`."""
        try:
            memory = pynvml.nvmlDeviceGetMemoryInfo(self._handle)
            own = self._of_process()
        except pynvml.NVMLError as error:
            raise DeviceLost(f"the driver does not answer for {self.device}") from error
        if own is None:
            own = max(0, int(memory.used) - self._before) if self._opened else 0
        return Memory(int(memory.total), int(memory.free), own)

    def open(self, model: Loadable) -> Session:
        """See `Card.open`."""
        self._opened = True
        return model.open(f"cuda:{self._ordinal}")

    def _of_process(self) -> int | None:
        """What the driver says this process holds; None when it does not say."""
        try:
            processes = pynvml.nvmlDeviceGetComputeRunningProcesses(self._handle)
        except (pynvml.NVMLError_NotSupported, pynvml.NVMLError_NoPermission):  # it answers, but not this
            return None
        for process in processes:
            if process.pid == os.getpid():
                return None if process.usedGpuMemory is None else int(process.usedGpuMemory)
        return None


@cache
def _start() -> None:
    """Once a process; the driver forgets us when it ends."""
    pynvml.nvmlInit()


def _name(handle: object) -> str:
    name = pynvml.nvmlDeviceGetName(handle)
    return name.decode() if isinstance(name, bytes) else str(name)
