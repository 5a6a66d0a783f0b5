"""Reads just enough of an ONNX file to refuse what must never reach a session.

A model may name other files for its weights (`data_location: EXTERNAL`); ONNX Runtime follows such a name even through
a hard link. It may also name operators that a custom library would supply. Both are refused before the file is
registered and again before it is served, where the `onnx` package is not installed: so this walks the protobuf wire
format itself, along the few fields that lead to tensors and operators.

Field numbers: onnx/onnx.proto (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from facesocial.errors import ModelIntegrityError

# message → field → the message it holds
NESTED: Final[dict[str, dict[int, str]]] = {
    "Model": {7: "Graph", 20: "Training", 25: "Function"},
    "Graph": {1: "Node", 5: "Tensor", 15: "SparseTensor"},
    "Node": {5: "Attribute"},
    "Attribute": {
        5: "Tensor",
        6: "Graph",
        10: "Tensor",
        11: "Graph",
        22: "SparseTensor",
        23: "SparseTensor",
    },
    "SparseTensor": {1: "Tensor", 2: "Tensor"},
    "Function": {7: "Node", 11: "Attribute"},
    "Training": {1: "Graph", 2: "Graph"},
    "Tensor": {},
}
MODEL_IR_VERSION: Final = 1
NODE_OPERATOR: Final = 4
NODE_DOMAIN: Final = 7
TENSOR_EXTERNAL_DATA: Final = 13
TENSOR_DATA_LOCATION: Final = 14

# contrib operators that open a file or run code named in the model
REFUSED_OPERATORS: Final = frozenset({b"EPContext", b"PythonOp", b"PythonOpGrad"})


class Field(NamedTuple):
    """One field of a message: its number, and either an integer or the bounds of its bytes."""

    number: int
    value: int | None
    start: int
    end: int


def check(content: bytes) -> None:
    """Passes when `content` is one self-contained ONNX model with known operators.

    Raises:
        ModelIntegrityError: not ONNX, external data anywhere in it, or an operator outside ai.onnx* and com.microsoft.
    """
    versions = nodes = 0
    pending = [("Model", 0, len(content))]  # a stack, not recursion: the depth is the sender's choice
    while pending:
        message, start, end = pending.pop()
        nested = NESTED[message]
        for field in fields(content, start, end):
            if message == "Model" and field.number == MODEL_IR_VERSION:
                versions += field.value is not None
            elif message == "Tensor":
                _check_tensor(field)
            elif message == "Node":
                _check_node(field, content)
            if field.number in nested and field.value is None:
                pending.append((nested[field.number], field.start, field.end))
        nodes += message == "Node"
    if not versions or not nodes:
        raise ModelIntegrityError("the file is not an ONNX model")


def _check_tensor(field: Field) -> None:
    if field.number == TENSOR_EXTERNAL_DATA or (field.number == TENSOR_DATA_LOCATION and field.value != 0):
        raise ModelIntegrityError("the model keeps weights in another file (external data), which is refused")


def _check_node(field: Field, content: bytes) -> None:
    if field.value is not None:
        return
    if field.number == NODE_DOMAIN:
        domain = content[field.start : field.end]
        if domain not in (b"", b"ai.onnx", b"com.microsoft") and not domain.startswith(b"ai.onnx."):
            raise ModelIntegrityError(f"the model needs operators of {_printable(domain)}, which are refused")
    if field.number == NODE_OPERATOR and (operator := content[field.start : field.end]) in REFUSED_OPERATORS:
        raise ModelIntegrityError(f"the model uses the operator {_printable(operator)}, which is refused")


def fields(content: bytes, position: int, end: int) -> Iterator[Field]:
    """The integers and the byte strings of the message between two offsets, in order.

    Raises:
        ModelIntegrityError: it is no protobuf message.
    """
    while position < end:
        tag, position = _varint(content, position, end)
        number, wire = tag >> 3, tag & 7
        value, start = None, position
        if wire == 0:
            value, position = _varint(content, position, end)
        elif wire == 1:
            position += 8
        elif wire == 2:
            length, start = _varint(content, position, end)
            position = start + length
        elif wire == 5:
            position += 4
        else:  # groups are not used by ONNX
            raise ModelIntegrityError("the file is not an ONNX model")
        if not 0 < number < 1 << 29 or position > end:
            raise ModelIntegrityError("the file is not an ONNX model")
        if wire in (0, 2):
            yield Field(number, value, start, position)


def _varint(content: bytes, position: int, end: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if position >= end:
            break
        byte = content[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
    raise ModelIntegrityError("the file is not an ONNX model")


def _printable(name: bytes) -> str:
    return ascii(name[:64].decode("utf-8", "replace"))
