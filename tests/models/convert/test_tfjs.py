"""The TensorFlow.js reader decodes exactly what the manifest describes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facesocial.errors import ConversionError
from models.convert import tfjs

pytestmark = pytest.mark.unit

WEIGHTS: list[dict[str, Any]] = [
    {"name": "a", "shape": [2, 2], "dtype": "float32", "quantization": {"dtype": "uint8", "scale": 0.5, "min": -1.0}},
    {"name": "b", "shape": [1], "dtype": "float32"},
]
SHARD = bytes([0, 1, 2, 255]) + np.float32(0.25).tobytes()


def read(tmp_path: Path, manifest: bytes, shard: bytes = SHARD) -> dict[str, np.ndarray]:
    first, second = tmp_path / "manifest", tmp_path / "shard"
    first.write_bytes(manifest)
    second.write_bytes(shard)
    return tfjs.read((first, second))


def manifest(weights: list[dict[str, Any]] | None = None, paths: tuple[str, ...] = ("shard1",)) -> bytes:
    return json.dumps([{"weights": WEIGHTS if weights is None else weights, "paths": paths}]).encode()


def test_bytes_and_floats_are_decoded(tmp_path: Path) -> None:
    """byte · scale + min for the quantised tensor, as it is for the other."""
    tensors = read(tmp_path, manifest())
    np.testing.assert_array_equal(tensors["a"], np.array([[-1, -0.5], [0, 126.5]], np.float32))
    np.testing.assert_array_equal(tensors["b"], np.array([0.25], np.float32))


@pytest.mark.parametrize("shard", [b"", SHARD[:-1], SHARD + b"!"])
def test_a_shard_of_another_length_is_refused(shard: bytes, tmp_path: Path) -> None:
    """Cut short or longer than described."""
    with pytest.raises(ConversionError, match="not as long"):
        read(tmp_path, manifest(), shard)


def _changed(**change: object) -> bytes:
    return manifest([WEIGHTS[0] | change, WEIGHTS[1]])


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{}",
        b"[" * 100_000,
        b"\xff\xfe",
        manifest(paths=("shard1", "shard2")),
        manifest()[:-1],
        _changed(shape=[2, -2]),
        _changed(shape=["2", "x"]),
        _changed(shape=[1] * 9),
        _changed(dtype="int32"),
        _changed(quantization={"dtype": "uint8", "scale": float("nan"), "min": 0}),
        _changed(quantization={"dtype": "uint16", "scale": 1.0, "min": 0}),
        _changed(module="os"),
    ],
)
def test_anything_but_a_manifest_is_refused(text: bytes, tmp_path: Path) -> None:
    """Not JSON, several shards, or a field out of range."""
    with pytest.raises(ConversionError, match="manifest"):
        read(tmp_path, text)


def test_a_shape_beyond_the_shard_allocates_nothing(tmp_path: Path) -> None:
    """The lengths are compared before anything is decoded."""
    with pytest.raises(ConversionError, match="not as long"):
        read(tmp_path, _changed(shape=[2**40, 2**40]))


def test_two_sources_are_needed(tmp_path: Path) -> None:
    """A manifest alone has no numbers."""
    path = tmp_path / "manifest"
    path.write_bytes(manifest())
    with pytest.raises(ConversionError, match="2 sources"):
        tfjs.read((path,))
