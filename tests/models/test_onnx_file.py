"""External data and foreign operators are refused wherever they hide in an ONNX file; sound models pass."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper

from facesocial.errors import ModelIntegrityError
from models import onnx_file

pytestmark = pytest.mark.unit


def external_tensor(location: str = "weights.bin", name: str = "w") -> TensorProto:
    tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=[1], data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value=location)
    return tensor


def model(graph: onnx.GraphProto) -> onnx.ModelProto:
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])


def add_graph(*, name: str = "tiny", initializer: list[TensorProto] | None = None) -> onnx.GraphProto:
    shape = [helper.make_tensor_value_info(port, TensorProto.FLOAT, [1]) for port in ("x", "y")]
    weight = helper.make_tensor("w", TensorProto.FLOAT, [1], [1.0])
    return helper.make_graph(
        [helper.make_node("Add", ["x", "w"], ["y"])], name, shape[:1], shape[1:], initializer=initializer or [weight]
    )


def in_initializer() -> onnx.ModelProto:
    return model(add_graph(initializer=[external_tensor()]))


def in_subgraph() -> onnx.ModelProto:
    graph = add_graph()
    branch = helper.make_graph([helper.make_node("Identity", ["v"], ["z"])], "b", [], [], [external_tensor(name="v")])
    graph.node.append(helper.make_node("If", ["x"], ["z"], then_branch=branch, else_branch=branch))
    return model(graph)


def in_constant() -> onnx.ModelProto:
    graph = add_graph()
    graph.node.append(helper.make_node("Constant", [], ["c"], value=external_tensor()))
    return model(graph)


def in_sparse_initializer() -> onnx.ModelProto:
    graph = add_graph()
    graph.sparse_initializer.add(dims=[4]).values.CopyFrom(external_tensor())
    return model(graph)


def in_sparse_attribute() -> onnx.ModelProto:
    graph = add_graph()
    node = helper.make_node("Constant", [], ["c"])
    attribute = node.attribute.add(name="sparse_value", type=onnx.AttributeProto.SPARSE_TENSOR)
    attribute.sparse_tensor.indices.CopyFrom(external_tensor())
    graph.node.append(node)
    return model(graph)


def in_function() -> onnx.ModelProto:
    made = model(add_graph())
    node = helper.make_node("Constant", [], ["c"], value=external_tensor())
    made.functions.append(helper.make_function("ai.onnx.own", "F", [], ["c"], [node], [helper.make_opsetid("", 17)]))
    return made


def in_training_graph() -> onnx.ModelProto:
    made = model(add_graph())
    made.training_info.add().initialization.CopyFrom(add_graph(name="i", initializer=[external_tensor()]))
    return made


def without_location_flag() -> onnx.ModelProto:
    tensor = external_tensor()
    tensor.ClearField("data_location")
    return model(add_graph(initializer=[tensor]))


HIDING_PLACES: list[Callable[[], onnx.ModelProto]] = [
    in_initializer,
    in_subgraph,
    in_constant,
    in_sparse_initializer,
    in_sparse_attribute,
    in_function,
    in_training_graph,
    without_location_flag,
]


@pytest.mark.parametrize("hide", HIDING_PLACES, ids=lambda hide: hide.__name__)
def test_h_external_data_is_refused_wherever_it_hides(hide: Callable[[], onnx.ModelProto]) -> None:
    with pytest.raises(ModelIntegrityError, match="external data"):
        onnx_file.check(hide().SerializeToString())


@pytest.mark.parametrize("location", ["../w.bin", "/etc/hostname", "w.bin"])
def test_h_external_data_is_refused_whatever_its_path(location: str) -> None:
    with pytest.raises(ModelIntegrityError, match="external data"):
        onnx_file.check(model(add_graph(initializer=[external_tensor(location)])).SerializeToString())


def test_h_onnx_runtime_alone_would_follow_a_hard_link(tmp_path: Path) -> None:
    """The reason for this module: the weights come from a file elsewhere, and the session opens all the same."""
    secret = tmp_path / "secret.bin"
    secret.write_bytes(np.array([41.0], np.float32).tobytes())
    folder = tmp_path / "model"
    folder.mkdir()
    os.link(secret, folder / "weights.bin")
    made = in_initializer()
    made.ir_version = 8
    path = folder / "model.onnx"
    path.write_bytes(made.SerializeToString())

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])

    assert session.run(None, {"x": np.ones(1, np.float32)})[0].tolist() == [42.0]
    with pytest.raises(ModelIntegrityError, match="external data"):
        onnx_file.check(path.read_bytes())


@pytest.mark.parametrize("domain", ["evil.ops", "ai.onnxruntime.evil", "com.microsoft.nchwc"])
def test_h_operators_of_other_domains_are_refused(domain: str) -> None:
    graph = add_graph()
    graph.node.append(helper.make_node("Run", ["x"], ["z"], domain=domain))
    with pytest.raises(ModelIntegrityError, match=domain):
        onnx_file.check(model(graph).SerializeToString())


@pytest.mark.parametrize("operator", ["EPContext", "PythonOp"])
def test_operators_that_open_files_or_run_code_are_refused(operator: str) -> None:
    graph = add_graph()
    graph.node.append(helper.make_node(operator, ["x"], ["z"], domain="com.microsoft"))
    with pytest.raises(ModelIntegrityError, match=operator):
        onnx_file.check(model(graph).SerializeToString())


@pytest.mark.parametrize("domain", ["", "ai.onnx", "ai.onnx.ml", "com.microsoft"])
def test_operators_of_the_known_domains_pass(domain: str) -> None:
    graph = add_graph()
    graph.node.append(helper.make_node("Any", ["x"], ["z"], domain=domain))
    onnx_file.check(model(graph).SerializeToString())


@pytest.mark.parametrize(
    "content",
    [b"", b"\x80\x04\x95pickle", b"PK\x03\x04", b"<html></html>", b"\x08\x07", b"\x00" * 64, b"\xff" * 64],
    ids=["empty", "pickle", "zip", "html", "version only", "zeros", "ones"],
)
def test_h_what_is_not_onnx_is_refused(content: bytes) -> None:
    with pytest.raises(ModelIntegrityError):
        onnx_file.check(content)


def test_a_truncated_model_is_refused_at_every_length() -> None:
    content = model(add_graph()).SerializeToString()
    tail = len(model(add_graph()).opset_import[0].SerializeToString()) + 2
    for length in range(len(content) - tail):
        with pytest.raises(ModelIntegrityError):
            onnx_file.check(content[:length])


@given(st.binary(max_size=200))
def test_no_bytes_make_the_reader_fail_in_another_way(content: bytes) -> None:
    try:
        onnx_file.check(content)
    except ModelIntegrityError:
        return
    onnx.ModelProto.FromString(content)


def test_deep_nesting_costs_no_recursion() -> None:
    content = helper.make_node("Identity", ["a"], ["b"]).SerializeToString()
    for _ in range(3000):  # attribute → graph → node → attribute …
        for tag in (b"\x0a", b"\x32", b"\x2a"):
            content = tag + _length(content) + content
    graph = b"\x3a" + _length(content) + content
    with pytest.raises(ModelIntegrityError, match="not an ONNX model"):
        onnx_file.check(graph)  # no version field, found out only after the whole walk


def test_the_originals_pass(mirror: Path) -> None:
    files = sorted(mirror.rglob("*.onnx"))
    assert files
    for file in files:
        onnx_file.check(file.read_bytes())


def _length(content: bytes) -> bytes:
    value, out = len(content), b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])
