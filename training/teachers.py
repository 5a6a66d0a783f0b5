"""The permissive pack, run on the CPU: it finds the faces and says what is learned about them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

import numpy as np

from cli.bench.accuracy_table import pipeline_with
from facesocial.capabilities import Capability
from facesocial.configuration import CpuSettings
from facesocial.results import Embedding, Image, Tensor
from models.catalogue import load_catalogue
from models.library import Library
from models.pull import Installer
from runners.core import LeasedCore
from runners.library import face_adapter
from runners.sessions import OnnxModel
from services.pipeline.pipeline import Pipeline
from vram_policy import CpuArbiter

DETECTOR = "yunet_n_dynamic"
BATCH = 64


@cache
def library() -> Library:
    """The permissive pack, pulled if it is not here."""
    library = Library.open()
    Installer(library).pull(load_catalogue().pack("permissive"))
    return library


@cache
def finder() -> Pipeline:
    """A pipeline whose faces are YuNet's."""
    return pipeline_with(library(), DETECTOR)


class Teacher:
    """The model of the permissive pack for a capability of faces, on crops that are cut already.

    Args:
        capability: of faces.
    """

    def __init__(self, capability: Capability) -> None:
        (spec,) = (spec for spec in load_catalogue().pack("permissive") if spec.capability is capability)
        installed = library().store.find(spec)
        if installed is None:
            raise RuntimeError(f"{spec.name} was not pulled")
        self.spec = installed.spec
        self.adapter = face_adapter(self.spec)
        self._core = LeasedCore(OnnxModel(installed, CpuSettings(session_threads=1)), CpuArbiter())

    def read(self, faces: Sequence[tuple[Image, ...]]) -> Iterator[Any]:
        """The adapter's results, one for each face: its crops as the adapter wants them."""
        for start in range(0, len(faces), BATCH):
            yield from self.adapter.post(self._core.run(self.adapter.pre(faces[start : start + BATCH])).outputs)

    def embed(self, crops: Sequence[Image]) -> Tensor:
        """float32 [n, d] of length one, of aligned 112×112 crops."""
        said: Iterator[Embedding] = self.read([(crop,) for crop in crops])
        return np.stack([embedding.vector for embedding in said])


@cache
def teacher(capability: Capability) -> Teacher:
    """The one of this process."""
    return Teacher(capability)
