"""Which input shapes a network may be run with: few, so that a card's memory is known once each of them ran."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Final, TypeAlias

from facesocial.capabilities import Capability
from models.signature import Input
from models.spec import ModelSpec
from runners.detection.base import CANVASES

Shapes: TypeAlias = tuple[tuple[int, ...], ...]
"""Of one run: a shape for each input."""

FLOAT: Final = 4
"""Bytes of a value: every input is float32."""


def batches(spec: ModelSpec, inputs: Sequence[Input], most: int) -> tuple[int, ...]:
    """Rows a run may have, rising: powers of two, and `most`. A detector sees one picture at a time."""
    dynamic = spec.dynamic_batch and all(entry.shape[:1] == (None,) for entry in inputs)
    if spec.capability is Capability.DETECTION or not dynamic:
        return (1,)
    return (*(1 << power for power in range(most.bit_length()) if 1 << power < most), most)


def permitted(spec: ModelSpec, inputs: Sequence[Input], most: int) -> tuple[Shapes, ...]:
    """Every shape the network will be run with; the largest first, for an arena that grew once fits the others.

    Args:
        spec: says how large a picture is, where the graph does not.
        inputs: of the graph.
        most: rows of the largest batch.
    """
    size = spec.preprocessing.size
    shapes = {
        tuple(_filled(entry, (rows, 3, height, width)) for entry in inputs)
        for rows in batches(spec, inputs, most)
        for width, height in ((size,) if size else CANVASES)
    }
    return tuple(sorted(shapes, key=lambda one: (volume(one), one), reverse=True))


def volume(shapes: Shapes) -> int:
    """Bytes of all inputs of one run."""
    return FLOAT * sum(prod(shape) for shape in shapes)


def _filled(entry: Input, wanted: tuple[int, int, int, int]) -> tuple[int, ...]:
    """What the graph fixes, and for the rest what is wanted."""
    rest = (*wanted, *(1 for _ in entry.shape[4:]))
    return tuple(own or other for own, other in zip(entry.shape, rest, strict=False))
