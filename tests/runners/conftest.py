"""For networks whose weights are not at hand: generated graphs of their signature, registered and loaded as usual."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from facesocial.capabilities import Capability
from facesocial.configuration import CpuSettings
from models.catalogue import Catalogue, load_catalogue
from models.library import Library
from models.store import Store
from runners.sessions import OnnxModel

Port = tuple[str, list[int | str]]
Generate = Callable[..., OnnxModel]


@pytest.fixture
def generate(tmp_path: Path) -> Generate:
    """Puts a graph in the place of a catalogue entry's weights."""

    def make(
        name: str,
        entry: Port,
        exit_: Port,
        nodes: Sequence[onnx.NodeProto],
        constants: dict[str, np.ndarray],
    ) -> OnnxModel:
        ports = [helper.make_tensor_value_info(port, TensorProto.FLOAT, shape) for port, shape in (entry, exit_)]
        graph = helper.make_graph(
            list(nodes),
            name,
            ports[:1],
            ports[1:],
            [numpy_helper.from_array(value, constant) for constant, value in constants.items()],
        )
        model: onnx.ModelProto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
        content: bytes = model.SerializeToString()
        known = load_catalogue().spec(name)
        source = known.sources[0].model_copy(update={"sha256": hashlib.sha256(content).hexdigest(), "bytes": None})
        spec = known.model_copy(update={"sources": (source,)})
        return OnnxModel(Store(tmp_path, Catalogue(models=(spec,))).register(spec, content), CpuSettings())

    return make


@pytest.fixture
def recogniser(library: Library) -> OnnxModel:
    """A model with a dynamic batch."""
    return OnnxModel(library.resolve(Capability.RECOGNITION), CpuSettings(batch=4))
