"""What happened since the process started."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Counts:
    """Since the process started, of one model or of all.

    Attributes:
        spills: answers of the CPU because the policy chose it.
        failovers: answers of the CPU because the card failed at the work.
    """

    answers: int = 0
    spills: int = 0
    failovers: int = 0
    loads: int = 0
    evictions: int = 0
    failures: int = 0
    out_of_memory: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(*(getattr(self, name) + getattr(other, name) for name in self.__slots__))
