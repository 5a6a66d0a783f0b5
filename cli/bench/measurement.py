"""Times of requests, and what is said about them. Figures are compared block by block, so that drift hits all alike."""

from __future__ import annotations

import operator
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final, Literal

import numpy as np

RELATIONS: Final = {"≤": operator.le, "≥": operator.ge}


@dataclass(frozen=True, slots=True)
class Block:
    """Requests without a pause: `seconds` of each, `elapsed` seconds for all, `faces` found in each."""

    seconds: tuple[float, ...]
    elapsed: float
    faces: int


@dataclass(frozen=True, slots=True)
class Series:
    """All blocks of one contestant."""

    blocks: tuple[Block, ...]

    def percentile(self, share: float) -> float:
        """Milliseconds below which `share` percent of all requests stay."""
        return float(np.percentile([spent for block in self.blocks for spent in block.seconds], share)) * 1000

    @property
    def medians(self) -> tuple[float, ...]:
        """p50 of each block in milliseconds."""
        return tuple(median(block.seconds) * 1000 for block in self.blocks)

    @property
    def rates(self) -> tuple[float, ...]:
        """Requests per second of each block."""
        return tuple(len(block.seconds) / block.elapsed for block in self.blocks)

    @property
    def rate(self) -> float:
        """Requests per second of all blocks together."""
        return sum(len(block.seconds) for block in self.blocks) / sum(block.elapsed for block in self.blocks)

    @property
    def faces(self) -> tuple[int, ...]:
        """The different numbers of faces found: one number when all is well."""
        return tuple(sorted({block.faces for block in self.blocks}))


@dataclass(frozen=True, slots=True)
class Ratio:
    """A figure of one run; a target of None is information."""

    name: str
    value: float
    relation: Literal["≤", "≥"] | None = None
    target: float | None = None

    @property
    def wanted(self) -> str:
        """The target in words, or a dash."""
        return f"{self.relation} {self.target}" if self.relation else "–"

    @property
    def verdict(self) -> str:
        """`pass`, `FAIL`, or a dash where there is no target."""
        if self.relation is None or self.target is None:
            return "–"
        return "pass" if RELATIONS[self.relation](self.value, self.target) else "FAIL"


def quotient(above: Sequence[float], below: Sequence[float]) -> float:
    """Median over the blocks of above / below."""
    return median(a / b for a, b in zip(above, below, strict=True))


def measure(request: Callable[[], int], requests: int) -> Block:
    """Time `request`, which gives the number of faces, `requests` times."""
    spent = []
    faces = 0
    began = time.perf_counter()
    for _ in range(requests):
        started = time.perf_counter()
        faces = request()
        spent.append(time.perf_counter() - started)
    return Block(tuple(spent), time.perf_counter() - began, faces)
