"""Inputs are read from the file as ONNX Runtime would name them."""

from __future__ import annotations

from contextlib import suppress

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from facesocial.errors import ModelIntegrityError
from models.signature import Input, inputs

SIDES = st.lists(st.one_of(st.integers(1, 4096), st.sampled_from(["batch", "height", None])), max_size=5)


def graph(shapes: dict[str, list[int | str | None]], stored: dict[str, np.ndarray]) -> bytes:
    """A graph with these inputs, and weights that are listed among them, as old exporters did."""
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()]
    ports += [helper.make_tensor_value_info(name, TensorProto.FLOAT, value.shape) for name, value in stored.items()]
    nodes = [helper.make_node("Identity", [port.name], [f"{port.name}_out"]) for port in ports]
    weights = [numpy_helper.from_array(value, name) for name, value in stored.items()]
    made: onnx.ModelProto = helper.make_model(helper.make_graph(nodes, "g", ports, [], weights))
    content: bytes = made.SerializeToString()
    return content


@pytest.mark.unit
@given(st.dictionaries(st.text(min_size=1, max_size=8), SIDES, max_size=4))
def test_numbers_are_sizes_and_names_are_free(shapes: dict[str, list[int | str | None]]) -> None:
    stored = {"a stored weight": np.zeros((3, 2), np.float32)}
    expected = tuple(
        Input(name, tuple(side if isinstance(side, int) else None for side in shape)) for name, shape in shapes.items()
    )
    assert inputs(graph(shapes, stored)) == expected


@pytest.mark.unit
@given(st.binary(max_size=64))
def test_rubbish_ends_in_an_answer_or_in_a_refusal(content: bytes) -> None:
    with suppress(ModelIntegrityError):
        inputs(content)
