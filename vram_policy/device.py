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
    """One card, in the driver's order: bytes of its memory, the product's name, and its UUID (`GPU-…`)."""

    total: int
    name: str
    uuid: str = ""


def cards() -> tuple[Description, ...]:
    """Of this machine; none without a driver. With `CUDA_DEVICE_ORDER=PCI_BUS_ID` CUDA counts them alike."""
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return ()
    try:
        handles = [pynvml.nvmlDeviceGetHandleByIndex(index) for index in range(pynvml.nvmlDeviceGetCount())]
        return tuple(map(_describe, handles))
    except pynvml.NVMLError as error:  # a card that shares the machine's memory has none of its own to count
        log.warning("the cards cannot be counted: served without", reason=str(error))
        return ()
    finally:
        pynvml.nvmlShutdown()


class NvidiaCard:
    """A `Card`. What this process holds comes from the driver where it says so for each process.

    Where it does not (WSL2, Windows, a container with its own process numbers), it is what the card's use has grown by
    since the process first looked, and is said to be inexact. A driver that does not answer is met at the first look.

    Args:
        index: in the driver's order.
        ordinal: what CUDA calls it in this process, which may see only some of the cards.
        name: the product's.
    """

    def __init__(self, index: int, ordinal: int, name: str) -> None:
        self.device: Final = f"cuda:{index}"
        self.name: Final = name
        self._index = index
        self._ordinal = ordinal
        self._before: int | None = None
        self._opened = False

    def memory(self) -> Memory:
        """See `Card.memory`."""
        try:
            _start()
            handle = pynvml.nvmlDeviceGetHandleByIndex(self._index)
            memory = pynvml.nvmlDeviceGetMemoryInfo(handle)
            own = _of_process(handle)
        except pynvml.NVMLError as error:
            raise DeviceLost(f"the driver does not answer for {self.device}") from error
        if self._before is None:
            self._before = int(memory.used)
        if not self._opened:
            return Memory(int(memory.total), int(memory.free), own or 0)
        if own:
            return Memory(int(memory.total), int(memory.free), own)
        # some drivers list the process with nothing to its name: that is no answer either
        return Memory(int(memory.total), int(memory.free), max(0, int(memory.used) - self._before), exact=False)

    def open(self, model: Loadable) -> Session:
        """See `Card.open`."""
        self._opened = True
        return model.open(f"cuda:{self._ordinal}")


def _of_process(handle: object) -> int | None:
    """What the driver says this process holds; None when it does not say."""
    try:
        processes = pynvml.nvmlDeviceGetComputeRunningProcesses(handle)
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


def _describe(handle: object) -> Description:
    total = int(pynvml.nvmlDeviceGetMemoryInfo(handle).total)
    return Description(total, _text(pynvml.nvmlDeviceGetName(handle)), _text(pynvml.nvmlDeviceGetUUID(handle)))


def _text(said: object) -> str:
    return said.decode() if isinstance(said, bytes) else str(said)
