"""What ONNX Runtime is told about a card, and what its messages say about one. Data only: nothing is imported here."""

from __future__ import annotations

import re
from typing import Final

from facesocial.errors import DeviceError, DeviceLost, OutOfDeviceMemory

PROVIDER: Final = "CUDAExecutionProvider"

OPTIONS: Final = {
    "cudnn_conv_algo_search": "HEURISTIC",  # EXHAUSTIVE tries every workspace there is, once per shape
    "arena_extend_strategy": "kSameAsRequested",  # shapes are fixed: nothing is won by doubling
}
"""Provider options that a footprint depends on."""

ENTRIES: Final = {
    "session.use_device_allocator_for_initializers": "1",  # weights outside the arena: they leave with the session
    "session.record_ep_graph_assignment_info": "1",  # which node runs where is looked at once
}
"""Session entries. The arena is not shrunk after each run (`memory.enable_memory_arena_shrinkage`, a run option): with
fixed shapes the next run takes the same memory again, and cudaFree waits for the whole card. It would pay for a model
that is asked for rarely in its largest shape."""


def provider_options(ordinal: int, limit: int | None) -> dict[str, str]:
    """For the card that CUDA calls by this number.

    `limit` bounds the arena, in bytes, and nothing beside it; None: no bound.
    """
    bound = {} if limit is None else {"gpu_mem_limit": str(limit)}
    return {"device_id": str(ordinal), **OPTIONS, **bound}


STICKY: Final = frozenset({214, 700, 702, 709, 710, 714, 715, 716, 717, 718, 719})
"""CUDA's numbers that poison a context: uncorrectable ECC, illegal address, launch timeout, context destroyed, assert,
hardware stack, illegal instruction, misaligned address, address space, program counter, launch failure. "To continue
using CUDA, the process must be terminated and relaunched" (CUDA Runtime API, cudaError_t)."""

UNUSABLE: Final = frozenset({3, 4, 35, 36, 46, 100, 101, 209, 226, 802, 803, 804, 999})
"""The card or its driver will do nothing for this process: not initialised, unloading, too old, busy, none there, no
kernel for it, NVLink, system not ready, mismatch, unknown."""

_FAULTS: Final[tuple[tuple[type[DeviceError], re.Pattern[str]], ...]] = tuple(
    (kind, re.compile(pattern, re.IGNORECASE))
    for kind, pattern in (
        (DeviceLost, rf"\bCUDA (?:failure|error) (?:{'|'.join(map(str, sorted(STICKY | UNUSABLE)))})\b"),
        (DeviceLost, r"illegal memory access|unspecified launch failure|device-side assert|misaligned address"),
        (DeviceLost, r"uncorrectable ECC|hardware stack error|context is destroyed|illegal instruction"),
        (DeviceLost, r"invalid program counter|the launch timed out"),
        (OutOfDeviceMemory, r"\bCUDA (?:failure|error) (?:2|701)\b|out of memory|cudaErrorMemoryAllocation"),
        (OutOfDeviceMemory, r"Failed to allocate memory|is smaller than requested bytes|BFCArena"),
        (OutOfDeviceMemory, r"CU(?:DNN|BLAS)_STATUS_(?:\w+_)?ALLOC(?:ATION)?_FAILED|\bCUBLAS failure 3\b"),
        # a handle that cannot be made, most often for want of memory: the gentler reading, which ends on the CPU too
        (OutOfDeviceMemory, r"CU(?:DNN|BLAS)_STATUS_NOT_INITIALIZED|\bCUBLAS failure 1\b"),
        (DeviceError, r"\b(?:CUDA|CUDNN|CUBLAS|CUFFT|CURAND) (?:failure|error)\b"),
    )
)
"""The first that matches counts. After a sticky error everything fails, allocations too: so they come first."""


def fault(message: str) -> type[DeviceError] | None:
    """What the text of one of ONNX Runtime's exceptions says of the card; None: it is about something else."""
    return next((kind for kind, pattern in _FAULTS if pattern.search(message)), None)
