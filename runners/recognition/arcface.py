"""The ArcFace family: aligned face in, vector out. MobileFaceNet, w600k, SFace differ in normalisation alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from facesocial.results import Embedding
from models.spec import ModelSpec
from runners.base import FaceAdapter
from runners.crops import AlignedCrop
from vram_policy.lease import Array


class ArcFace(FaceAdapter[Embedding]):
    """Input [n, 3, 112, 112] aligned to the five-point template, output [n, d].

    SFace is read by it too: OpenCV's `FaceRecognizerSF` aligns to the same template and feeds RGB as it is, which is a
    normalisation of the catalogue, not another architecture (a test compares the two).
    """

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__(spec)
        self.crops = (AlignedCrop(),)
        self._contract = spec.contract_id

    def post(self, outputs: Mapping[str, Array]) -> Sequence[Embedding]:
        """Vectors of length one; a zero vector stays zero."""
        (vectors,) = (np.asarray(output, np.float32) for output in outputs.values())
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        return [Embedding(self._contract, vector) for vector in vectors / np.maximum(lengths, 1e-12)]
