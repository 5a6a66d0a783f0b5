"""The inputs of an ONNX network, read from its file: no session is opened and no weights are decoded.

Field numbers: onnx/onnx.proto (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from models.onnx_file import Field, fields

MODEL_GRAPH: Final = 7
GRAPH_INITIALIZER: Final = 5
GRAPH_INPUT: Final = 11
TENSOR_NAME: Final = 8
VALUE_NAME: Final = 1
VALUE_SHAPE: Final = (2, 1, 2, 1)
"""ValueInfo.type, .tensor_type, .shape, .dim."""
DIMENSION_VALUE: Final = 1


@dataclass(frozen=True, slots=True)
class Input:
    """One input; `shape` has None where the network takes any number."""

    name: str
    shape: tuple[int | None, ...]


def inputs(content: bytes) -> tuple[Input, ...]:
    """What must be fed to the network, in its order.

    Args:
        content: an ONNX file that `models.onnx_file.check` let through.

    Raises:
        ModelIntegrityError: it is not one.
    """
    found, stored = list[Input](), set[str]()
    for graph in _at(content, Field(0, None, 0, len(content)), MODEL_GRAPH):
        for field in fields(content, graph.start, graph.end):
            if field.number == GRAPH_INPUT:
                dimensions = _at(content, field, *VALUE_SHAPE)
                shape = tuple(_size(content, dimension) for dimension in dimensions)
                found.append(Input(_text(content, field, VALUE_NAME), shape))
            elif field.number == GRAPH_INITIALIZER:
                stored.add(_text(content, field, TENSOR_NAME))
    return tuple(entry for entry in found if entry.name not in stored)  # old exporters list weights as inputs


def _at(content: bytes, field: Field, *path: int) -> Iterator[Field]:
    """The fields at the end of this path of numbers, below `field`."""
    if not path:
        yield field
        return
    for nested in fields(content, field.start, field.end):
        if nested.number == path[0]:
            yield from _at(content, nested, *path[1:])


def _text(content: bytes, field: Field, number: int) -> str:
    return "".join(content[one.start : one.end].decode("utf-8", "replace") for one in _at(content, field, number))


def _size(content: bytes, dimension: Field) -> int | None:
    """None: the dimension has a name, or nothing."""
    return next((field.value for field in _at(content, dimension, DIMENSION_VALUE) if field.value), None)
