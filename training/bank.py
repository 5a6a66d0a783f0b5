"""Crops and what the teacher says of them, on disk: made once, in chunks that a second run finds again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from facesocial.capabilities import Capability
from facesocial.results import Tensor
from training.morphs import Faces
from training.teachers import Teacher

CHUNK: Final = 4096


@dataclass(frozen=True, slots=True)
class Bank:
    """Crops with their embeddings.

    Attributes:
        images: uint8 [n, 112, 112, 3] BGR, in files.
        embeddings: float32 [n, d], of length one.
    """

    images: tuple[NDArray[np.uint8], ...]
    embeddings: Tensor

    def __len__(self) -> int:
        return len(self.embeddings)

    def rows(self, numbers: NDArray[np.int64]) -> tuple[NDArray[np.uint8], Tensor]:
        """The crops and embeddings of these numbers."""
        images = np.stack([self.images[number // CHUNK][number % CHUNK] for number in numbers])
        return images, self.embeddings[numbers]


def bank(faces: Faces, size: int, folder: Path) -> Bank:
    """At least `size` crops in whole chunks; those that are in `folder` already are not made again."""
    folder.mkdir(parents=True, exist_ok=True)
    teacher = None
    files = [folder / f"{index:04}.npz" for index in range(-(-size // CHUNK))]
    for index, file in enumerate(track(files, "making faces and asking the teacher")):
        if file.exists():
            continue
        teacher = teacher or Teacher(Capability.RECOGNITION)
        crops = [faces.crop(index * CHUNK + number) for number in range(CHUNK)]
        part = file.with_suffix(".part.npy")
        np.save(part, np.stack(crops))
        part.replace(file.with_suffix(".npy"))
        part = file.with_suffix(".part.npz")
        np.savez(part, embeddings=teacher.embed(crops))
        part.replace(file)
    images = tuple(np.load(file.with_suffix(".npy"), mmap_mode="r") for file in files)
    return Bank(images, np.concatenate([np.load(file)["embeddings"] for file in files]))
