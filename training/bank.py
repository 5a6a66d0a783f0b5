"""Crops and what the teacher says of them, on disk: made once, in chunks that a second run finds again."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from os import cpu_count
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from facesocial.results import Tensor

CHUNK: Final = 4096
SEED: Final = 20261125

Lesson: TypeAlias = Callable[[range], tuple[NDArray[np.uint8], Tensor]]
"""Crops [n, …] BGR by their numbers, and what is known of each, float32 [n, d]: the teacher's word, for one."""


@dataclass(frozen=True, slots=True)
class Bank:
    """Crops in files, with what is known of each.

    Attributes:
        images: uint8 [4096, …] BGR, file by file.
        labels: float32 [n, d] of all of them.
        used: numbers of those that batches are made of.
    """

    images: tuple[NDArray[np.uint8], ...]
    labels: Tensor
    used: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.used)

    def select(self, rows: NDArray[np.bool_]) -> Bank:
        """Only those of these rows are used."""
        return Bank(self.images, self.labels, self.used[rows[self.used]])

    def batch(self, step: int, size: int) -> tuple[NDArray[np.uint8], Tensor]:
        """The crops and labels of a step. Every pass over the bank is in an order of its own."""
        turns, places = np.divmod(np.arange(step * size, (step + 1) * size), len(self))
        numbers = [self.used[_order(len(self), turn)[at]] for turn, at in zip(turns.tolist(), places, strict=True)]
        return np.stack([self.images[number // CHUNK][number % CHUNK] for number in numbers]), self.labels[numbers]


def bank(lesson: Lesson, size: int, folder: Path, made_of: NDArray[np.uint8]) -> Bank:
    """At least `size` crops in whole chunks; those that are in `folder` already are not made again.

    Raises:
        ValueError: what is there was made of other pictures than `made_of`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    known, digest = folder / "made_of", hashlib.sha256(made_of.tobytes()).hexdigest()
    if not known.exists():
        known.write_text(digest)
    if known.read_text() != digest:
        raise ValueError(f"{folder} was made of other pictures: delete it")
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
        np.arange(len(chunks) * CHUNK),
    )


@lru_cache(maxsize=2)
def _order(size: int, turn: int) -> NDArray[np.int64]:
    return np.random.default_rng((SEED, turn)).permutation(size)


def _images(folder: Path, chunk: int) -> Path:
    return folder / f"{chunk:04}-images.npy"


def _labels(folder: Path, chunk: int) -> Path:
    return folder / f"{chunk:04}-labels.npy"
