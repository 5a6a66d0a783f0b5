"""Reads a state dict from torch's file format of before 1.6, with an unpickler that can call nothing but what is below.

The layout (torch/serialization.py, `_legacy_save`): five pickles — magic number, protocol, system, the object, the keys
of its storages — and then each storage in that order: its length as int64, little-endian, and its numbers. A file can
name only the stand-ins below, none of which does anything, and cannot change them. Nowhere else does the product read a
pickle.
"""

from __future__ import annotations

import io
import math
import pickle
from pathlib import Path
from typing import Any, Final, NamedTuple, NoReturn, TypeGuard

import numpy as np
import numpy.typing as npt

from facesocial.errors import ConversionError
from models.convert.source import MAX_SOURCE_BYTES, read_source

_MAGIC: Final = 0x1950A86A20F9469CFC6C
_PROTOCOL: Final = 1001
_MAX_AXES: Final = 8
_DAMAGED: Final = "the torch file is damaged or cut short"


def read(path: Path) -> dict[str, npt.NDArray[Any]]:
    """The tensors of a state dict, in file order.

    Raises:
        ConversionError: it is no legacy torch file, is damaged, names a global outside the allow-list, or holds
            anything but a state dict of contiguous tensors.
    """
    data = read_source(path)
    if data.startswith(b"PK"):
        raise ConversionError("this is torch's zip format; the converters read the format of before torch 1.6")
    file = io.BytesIO(data)
    if _load(file) != _MAGIC or _load(file) != _PROTOCOL:
        raise ConversionError("this is not a torch file")
    system = _load(file)
    if not isinstance(system, dict) or system.get("little_endian") is not True:
        raise ConversionError("the torch file was not written by a little-endian machine")
    state = _load(file)
    if not isinstance(state, dict):
        raise ConversionError("the torch file holds no state dict")
    for name, tensor in state.items():
        if not isinstance(name, str) or not isinstance(tensor, _Tensor):
            raise ConversionError("the torch file holds more than tensors")
    storages = _read_storages(file, {tensor.storage.key: tensor.storage for tensor in state.values()})
    return {name: _view(tensor, storages[tensor.storage.key]) for name, tensor in state.items()}


class _StorageType(NamedTuple):
    """Stands in for a storage class such as `torch.FloatStorage`."""

    dtype: str


class _Storage(NamedTuple):
    """A storage the object refers to; its numbers come later in the file."""

    key: str
    dtype: str
    length: int


class _Tensor(NamedTuple):
    """A view of a storage; offset and stride in elements."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]


class _StateDict(dict[Any, Any]):
    """Stands in for `collections.OrderedDict`."""

    __slots__ = ()

    def __setstate__(self, state: object) -> None:
        """Ignores `_metadata`: the versions of layers. Without this method a pickle could shadow those of the dict."""


class _RebuildTensor:
    """Stands in for `torch._utils._rebuild_tensor_v2`."""

    __slots__ = ()

    def __call__(self, *arguments: object) -> _Tensor:
        """Notes the view; what follows the first four (requires_grad, hooks) says nothing about the numbers."""
        match arguments:
            case (_Storage() as storage, int(offset), tuple(shape), tuple(stride), *_) if (
                offset >= 0 and _is_shape(shape) and _is_shape(stride)
            ):
                return _Tensor(storage, offset, shape, stride)
        raise ConversionError(_DAMAGED)

    def __setstate__(self, state: object) -> NoReturn:
        raise ConversionError(_DAMAGED)


_ALLOWED: Final[dict[tuple[str, str], object]] = {
    ("collections", "OrderedDict"): _StateDict,
    ("torch", "FloatStorage"): _StorageType("<f4"),
    ("torch", "LongStorage"): _StorageType("<i8"),
    ("torch._utils", "_rebuild_tensor_v2"): _RebuildTensor(),
}


class _Unpickler(pickle.Unpickler):
    """Looks every global up in `_ALLOWED` and imports nothing."""

    def find_class(self, module: str, name: str) -> object:
        try:
            return _ALLOWED[module, name]
        except KeyError:
            asked = f"{module}.{name}"[:80]
            raise ConversionError(f"the torch file asks for {asked!r}, which no state dict needs") from None

    def persistent_load(self, reference: object) -> _Storage:
        match reference:
            case ("storage", _StorageType(dtype), str(key), str(), int(length), None) if (
                0 <= length <= MAX_SOURCE_BYTES
            ):
                return _Storage(key, dtype, length)
        raise ConversionError(_DAMAGED)


def _load(file: io.BytesIO) -> Any:
    try:
        return _Unpickler(file).load()
    except (ConversionError, MemoryError):
        raise
    except Exception as error:  # pickle's documentation: damaged data may raise anything
        raise ConversionError(_DAMAGED) from error


def _read_storages(file: io.BytesIO, expected: dict[str, _Storage]) -> dict[str, npt.NDArray[Any]]:
    """The numbers of each storage; together they must be exactly the rest of the file."""
    keys = _load(file)
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys) or sorted(keys) != sorted(expected):
        raise ConversionError(_DAMAGED)
    storages: dict[str, npt.NDArray[Any]] = {}
    for storage in (expected[key] for key in keys):
        dtype = np.dtype(storage.dtype)
        length = int.from_bytes(file.read(8), "little", signed=True)
        data = file.read(storage.length * dtype.itemsize)
        if length != storage.length or len(data) != storage.length * dtype.itemsize:
            raise ConversionError(_DAMAGED)
        storages[storage.key] = np.frombuffer(data, dtype)
    if file.read(1):
        raise ConversionError(_DAMAGED)
    return storages


def _view(tensor: _Tensor, storage: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The part of a storage that a tensor shows; only contiguous ones, as a zero stride makes gigabytes of a byte."""
    strides = tuple(math.prod(tensor.shape[axis + 1 :]) for axis in range(len(tensor.shape)))
    end = tensor.offset + math.prod(tensor.shape)
    if tensor.stride != strides or end > len(storage):
        raise ConversionError("the torch file holds a tensor that is not contiguous or ends outside its storage")
    return storage[tensor.offset : end].reshape(tensor.shape)


def _is_shape(value: tuple[object, ...]) -> TypeGuard[tuple[int, ...]]:
    return len(value) <= _MAX_AXES and all(isinstance(n, int) and n > 0 for n in value)
