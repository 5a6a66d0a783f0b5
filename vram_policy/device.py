"""The cards of this machine. The one file that talks to NVML."""

from __future__ import annotations

import pynvml
import structlog

log = structlog.get_logger(__name__)


def totals() -> tuple[int, ...]:
    """Bytes of memory of each NVIDIA card, in the driver's order; none without a driver."""
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return ()
    try:
        handles = [pynvml.nvmlDeviceGetHandleByIndex(index) for index in range(pynvml.nvmlDeviceGetCount())]
        return tuple(int(pynvml.nvmlDeviceGetMemoryInfo(handle).total) for handle in handles)
    except pynvml.NVMLError as error:  # a card that shares the machine's memory has none of its own to count
        log.warning("the cards cannot be counted: served without", reason=str(error))
        return ()
    finally:
        pynvml.nvmlShutdown()
