"""What a model takes of a card, and what it costs to run and to bring there. Bytes and seconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

MEBIBYTE: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Footprint:
    """Bytes of device memory without the context of the process.

    Attributes:
        weights: after loading.
        peak: the most while every permitted shape ran once.
        steady: what is kept between runs afterwards.
    """

    weights: int
    peak: int
    steady: int


@dataclass(frozen=True, slots=True)
class Costs:
    """Seconds.

    Attributes:
        cpu: CPU time that one run takes when the CPU answers.
        gpu: one run on the card, from call to return.
        load: from the decision to the first answer on the card.
        load_cpu: CPU time that a load takes from those who answer meanwhile.
        unload: from closing the session until its memory is free.
    """

    cpu: float
    gpu: float
    load: float
    load_cpu: float
    unload: float = 0.1


@dataclass(frozen=True, slots=True)
class Profile:
    """Of one model on one card. `measured` is False for an estimate, which the first load corrects."""

    footprint: Footprint
    costs: Costs
    measured: bool = False


WORKSPACE: Final = 96 * MEBIBYTE
"""Assumed of cuDNN's convolution workspaces and the arena's rounding, for a model nobody has profiled."""

ACTIVATIONS: Final = 24
"""Assumed bytes of activations for each byte of input: deep convolutional networks keep tens of feature maps alive."""


CPU_SECONDS: Final = 0.005
CPU_SECONDS_A_BYTE: Final = 3e-9
"""Of one item on the CPU, and for each byte of its input: within half to twice of what the permissive pack takes
(docs/benchmarks.md, footprints and costs)."""

LOAD_SECONDS: Final = 0.2
LOAD_SECONDS_A_BYTE: Final = 5e-9
"""CPU time of a load, and for each byte of the file: likewise; a load takes about twice as long as its CPU time."""


def estimate(file_bytes: int, input_bytes: int, rows: int = 1) -> Profile:
    """An upper estimate for a model that nobody has profiled.

    Never the file's size alone: a 9 MB MobileNet took 443 MB with its context (design §3).

    Args:
        file_bytes: of the ONNX file; the weights take as much on the card, and once more while they are copied.
        input_bytes: of the largest batch that will be run, as float32.
        rows: items of that batch; costs are those of one.
    """
    weights = file_bytes
    peak = 2 * weights + ACTIVATIONS * input_bytes + WORKSPACE
    cpu = CPU_SECONDS + CPU_SECONDS_A_BYTE * input_bytes / rows
    load_cpu = LOAD_SECONDS + LOAD_SECONDS_A_BYTE * file_bytes
    return Profile(Footprint(weights, peak, peak), Costs(cpu=cpu, gpu=cpu / 5, load=2 * load_cpu, load_cpu=load_cpu))
