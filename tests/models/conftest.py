"""Small real models, and a library in a folder of its own."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import TensorProto, helper

from models.catalogue import Catalogue
from models.library import Library
from models.spec import ModelSpec
from models.store import Store

MakeSpec = Callable[..., ModelSpec]
MakeOnnx = Callable[..., bytes]


@pytest.fixture
def make_onnx() -> MakeOnnx:
    """Builds `y = x + w`; `value` tells one model from another, `nodes` replaces the graph's nodes."""

    def make(value: float = 1.0, nodes: list[Any] | None = None, **model: Any) -> bytes:
        weight = helper.make_tensor("w", TensorProto.FLOAT, [1], [value])
        shape = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in ("x", "y")]
        graph = helper.make_graph(
            nodes or [helper.make_node("Add", ["x", "w"], ["y"])], "tiny", shape[:1], shape[1:], initializer=[weight]
        )
        made: onnx.ModelProto = helper.make_model(graph, **model)
        content: bytes = made.SerializeToString()
        return content

    return make


@pytest.fixture
def make_spec() -> MakeSpec:
    """An entry whose only source is `content`, served as it is."""

    def make(content: bytes, **fields: Any) -> ModelSpec:
        source = {
            "urls": ["https://models.example/tiny.onnx"],
            "sha256": hashlib.sha256(content).hexdigest(),
            "bytes": len(content),
        }
        entry = {
            "name": "tiny",
            "capability": "detection",
            "architecture": "yunet",
            "zone": "critical",
            "sources": [source],
            "licence": {"name": "MIT", "commercial": True},
            "preprocessing": {"color": "rgb"},
        }
        return ModelSpec.model_validate(entry | fields)

    return make


@pytest.fixture
def library(tmp_path: Path, make_onnx: MakeOnnx, make_spec: MakeSpec) -> Library:
    """An empty library whose catalogue offers `tiny` for detection, in the default pack."""
    spec = make_spec(make_onnx(), packs=("permissive",))
    return Library(Store(tmp_path / "bentoml", Catalogue(models=(spec,))))
