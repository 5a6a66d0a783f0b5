"""Crops and what the teacher says of them, on disk: made once, in chunks that a second run finds again."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from os import cpu_count
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from facesocial.results import Tensor

CHUNK: Final = 4096

Lesson: TypeAlias = Callable[[range], tuple[NDArray[np.uint8], Tensor]]
"""Crops [n, 112, 112, 3] BGR by their numbers, and the teacher's word on each, float32 [n, d]."""


@dataclass(frozen=True, slots=True)
class Bank:
    """Crops, uint8 [n, 112, 112, 3] BGR in files, with the teacher's word on each, float32 [n, d]."""

    images: tuple[NDArray[np.uint8], ...]
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def rows(self, numbers: NDArray[np.int64]) -> tuple[NDArray[np.uint8], Tensor]:
        """The crops and labels of these numbers."""
        return np.stack([self.images[number // CHUNK][number % CHUNK] for number in numbers]), self.labels[numbers]


def bank(lesson: Lesson, size: int, folder: Path) -> Bank:
    """At least `size` crops in whole chunks; those that are in `folder` already are not made again."""
    folder.mkdir(parents=True, exist_ok=True)
    chunks = range(-(-size // CHUNK))
    missing = [chunk for chunk in chunks if not _labels(folder, chunk).exists()]

    def add(chunk: int) -> None:
        images, labels = lesson(range(chunk * CHUNK, (chunk + 1) * CHUNK))
        np.save(_images(folder, chunk), images)
        np.save(part := folder / f"{chunk:04}-part.npy", labels)
        part.replace(_labels(folder, chunk))  # last: where it is, the chunk is whole

    with ThreadPoolExecutor(cpu_count()) as threads:
        for _ in track(threads.map(add, missing), "making faces and asking the teacher", len(missing)):
            pass
    return Bank(
        tuple(np.load(_images(folder, chunk), mmap_mode="r") for chunk in chunks),
        np.concatenate([np.load(_labels(folder, chunk)) for chunk in chunks]),
    )


def _images(folder: Path, chunk: int) -> Path:
    return folder / f"{chunk:04}-images.npy"


def _labels(folder: Path, chunk: int) -> Path:
    return folder / f"{chunk:04}-labels.npy"
