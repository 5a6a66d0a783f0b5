"""Reads weights of TensorFlow.js: one shard of bytes and a manifest that says what is in it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Final, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from facesocial.errors import ConversionError
from models.convert.source import read_source
from models.convert.weights import Array


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Quantization(_Entry):
    dtype: Literal["uint8"]
    scale: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    min: Annotated[float, Field(allow_inf_nan=False)]


class _Weight(_Entry):
    name: str
    shape: Annotated[tuple[Annotated[int, Field(gt=0)], ...], Field(max_length=8)]
    dtype: Literal["float32"]
    quantization: _Quantization | None = None

    @property
    def stored(self) -> np.dtype[np.uint8] | np.dtype[np.float32]:
        return np.dtype("<f4") if self.quantization is None else np.dtype("u1")

    @property
    def nbytes(self) -> int:
        return math.prod(self.shape) * self.stored.itemsize

    def decode(self, data: bytes) -> Array:
        values = np.frombuffer(data, self.stored).reshape(self.shape)
        if self.quantization is None:
            return values.astype(np.float32)
        return values.astype(np.float32) * np.float32(self.quantization.scale) + np.float32(self.quantization.min)


class _Group(_Entry):
    weights: tuple[_Weight, ...]
    paths: Annotated[tuple[str], Field(description="names of the shards; this reader takes one")]


_MANIFEST: Final = TypeAdapter(tuple[_Group])


def read(sources: tuple[Path, ...]) -> dict[str, Array]:
    """The tensors by name, dequantised: byte · scale + min, in float32 as the reference conversion has it.

    TensorFlow.js computes in float64 and rounds once, which differs by at most one unit in the last place.
    `sources` are the manifest and its only shard, in either order.

    Raises:
        ConversionError: neither is a manifest, or the shard is not exactly as long as it says.
    """
    if len(sources) != 2:
        raise ConversionError(f"this converter takes 2 sources, a manifest and a shard, not {len(sources)}")
    weights, shard = _manifest_and_shard(*map(read_source, sources))
    if sum(weight.nbytes for weight in weights) != len(shard):
        raise ConversionError("the shard is not as long as its manifest says")
    tensors: dict[str, Array] = {}
    offset = 0
    for weight in weights:
        tensors[weight.name] = weight.decode(shard[offset : offset + weight.nbytes])
        offset += weight.nbytes
    return tensors


def _manifest_and_shard(first: bytes, second: bytes) -> tuple[tuple[_Weight, ...], bytes]:
    for manifest, shard in ((first, second), (second, first)):
        try:
            (group,) = _MANIFEST.validate_json(manifest)
        except ValidationError:
            continue
        return group.weights, shard
    raise ConversionError("neither source is a TensorFlow.js manifest of one shard of float32 weights")
