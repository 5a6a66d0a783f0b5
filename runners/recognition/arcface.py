"""The ArcFace family: aligned face in, vector out. MobileFaceNet, w600k, glintr100 differ in normalisation alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from facesocial.results import Embedding
from models.catalogue import ModelSpec
from runners.base import FaceAdapter, Views
from runners.crops import AlignedCrop
from runners.tensors import to_nchw
from vram_policy.lease import Array


class ArcFace(FaceAdapter[Embedding]):
    """Input [n, 3, 112, 112] aligned to the five-point template, output [n, d]."""

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__(spec)
        self.crops = (AlignedCrop(),)
        self._contract = spec.contract_id

    def pre(self, batch: Sequence[Views]) -> Sequence[Array]:
        """See `FaceAdapter.pre`."""
        return [to_nchw([face for (face,) in batch], self.spec.preprocessing)]

    def post(self, outputs: Mapping[str, Array]) -> Sequence[Embedding]:
        """Vectors of length one; a zero vector stays zero."""
        (vectors,) = (np.asarray(output, np.float32) for output in outputs.values())
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        return [Embedding(self._contract, vector) for vector in vectors / np.maximum(lengths, 1e-12)]
