"""The cards of this machine. The one file that talks to NVML."""

from __future__ import annotations

import pynvml


def totals() -> tuple[int, ...]:
    """Bytes of memory of each NVIDIA card, in the driver's order; none without a driver."""
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return ()
    try:
        handles = [pynvml.nvmlDeviceGetHandleByIndex(index) for index in range(pynvml.nvmlDeviceGetCount())]
        return tuple(int(pynvml.nvmlDeviceGetMemoryInfo(handle).total) for handle in handles)
    finally:
        pynvml.nvmlShutdown()
