"""What crosses from one of our processes to another: MessagePack, types checked on arrival, never a pickle.

A reply is one byte that says which, then the value or the error.
"""

from __future__ import annotations

import math
from typing import Any, Final, TypeVar, get_args

import msgspec
import numpy as np
from numpy.typing import NDArray

from facesocial.errors import FaceSocialError, ServiceError, error_of

T = TypeVar("T")

ARRAY: Final = 1
"""MessagePack extension: header (dtype, shape), then the elements in C order."""

DTYPES: Final = ("|u1", "<f4")

MOST_AXES: Final = 4
LONGEST: Final = 1 << 32
"""Elements along an axis: NumPy refuses more in its own words."""

VALUE: Final = b"\x00"
ERROR: Final = b"\x01"


class _Failure(msgspec.Struct, frozen=True):
    code: str
    detail: str
    retry_after: int | None


class _Head(msgspec.Struct, frozen=True, array_like=True):
    dtype: str
    shape: tuple[int, ...]


def encode(value: object) -> bytes:
    """Dataclasses, enums, strings, bytes, numbers, lists, mappings, and arrays of uint8 and float32."""
    return msgspec.msgpack.encode(value, enc_hook=_pack)


def decode(content: bytes, kind: type[T]) -> T:
    """The value, which is of `kind` throughout; arrays are read-only views into `content`.

    Raises:
        ServiceError: it is something else.
    """
    try:
        return msgspec.msgpack.decode(content, type=kind, ext_hook=_unpack, dec_hook=_checked)
    except msgspec.MsgspecError as error:
        raise ServiceError("another process of ours sent something else than was agreed") from error


def convert(value: Any, kind: type[T]) -> T:
    """What was decoded as `Any`, as `kind`.

    Raises:
        ServiceError: it is something else.
    """
    try:
        return msgspec.convert(value, kind, dec_hook=_checked)
    except msgspec.MsgspecError as error:
        raise ServiceError("another process of ours sent something else than was agreed") from error


def reply(value: object) -> bytes:
    """A reply with a value."""
    return VALUE + encode(value)


def refusal(error: FaceSocialError) -> bytes:
    """A reply with an error of ours."""
    return ERROR + msgspec.msgpack.encode(_Failure(error.code, error.detail, error.retry_after))


def open_reply(content: bytes, kind: type[T]) -> T:
    """The value of a reply.

    Raises:
        FaceSocialError: the one that was sent instead, of the same class.
        ServiceError: the content is not a reply.
    """
    if content[:1] == VALUE:
        return decode(content[1:], kind)
    if content[:1] == ERROR:
        failure = decode(content[1:], _Failure)
        error = error_of(failure.code, failure.detail)
        error.retry_after = failure.retry_after
        raise error
    raise ServiceError("another process of ours sent no reply")


def _pack(value: object) -> object:
    if isinstance(value, np.ndarray) and value.dtype.str in DTYPES:
        head = msgspec.msgpack.encode(_Head(value.dtype.str, value.shape))
        return msgspec.msgpack.Ext(ARRAY, b"".join((bytes([len(head)]), head, value.tobytes())))
    if isinstance(value, np.generic):
        return value.item()
    raise NotImplementedError(f"{type(value).__name__} does not cross processes")


def _unpack(code: int, data: memoryview) -> NDArray[Any]:
    if code != ARRAY or not data:
        raise msgspec.ValidationError("unknown extension")
    start = 1 + data[0]
    head = msgspec.msgpack.decode(data[1:start], type=_Head)
    count = math.prod(head.shape)
    if head.dtype not in DTYPES or len(head.shape) > MOST_AXES or not all(0 <= side <= LONGEST for side in head.shape):
        raise msgspec.ValidationError("unknown array")
    if len(data) - start != count * np.dtype(head.dtype).itemsize:
        raise msgspec.ValidationError("an array of another length")
    return np.frombuffer(data, head.dtype, count, start).reshape(head.shape)


def _checked(kind: Any, value: Any) -> Any:
    """Fields annotated as arrays: `NDArray[np.float32]` is `ndarray[…, dtype[float32]]`."""
    dtype = get_args(get_args(kind)[-1])[0]
    if not isinstance(value, np.ndarray) or value.dtype != dtype:
        raise msgspec.ValidationError(f"expected an array of {dtype.__name__}")
    return value
