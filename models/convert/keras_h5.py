"""Reads weights Keras saved as HDF5, and nothing else HDF5 can do: links, external or virtual data, filters."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Final

import h5py
import numpy as np

from facesocial.errors import ConversionError
from models.convert.source import source_size
from models.convert.weights import Array

_LAYER: Final = re.compile(r"(?P<kind>[a-z][a-z0-9_]*)_(?P<number>[0-9]{1,6})")
_MAX_DEPTH: Final = 3  # layer / layer / tensor; also ends a loop of hard links


def read(path: Path) -> dict[str, Array]:
    """The float32 tensors, named `kind.index.tensor` such as `conv2d.0.kernel`.

    `index` counts the layers of a kind from 0: Keras numbers them on through a process, so the first may be `conv2d_5`.

    Raises:
        ConversionError: it is no HDF5 file, is damaged, or holds anything but plain float32 tensors by layer.
    """
    size = source_size(path)
    try:
        with h5py.File(path, "r", locking=False) as file:
            tensors = dict(_tensors(file, (), size))
    except (OSError, RuntimeError, KeyError, TypeError, ValueError) as error:
        raise ConversionError("the HDF5 file is damaged, cut short, or no HDF5 file") from error
    if sum(tensor.nbytes for tensor in tensors.values()) > size:
        raise ConversionError("the HDF5 file holds the same data under several names")
    return _renumbered(tensors)


def _tensors(group: h5py.Group, path: tuple[str, ...], size: int) -> Iterator[tuple[tuple[str, str], Array]]:
    if len(path) >= _MAX_DEPTH:
        raise ConversionError("the HDF5 file is nested deeper than the weights of a Keras network")
    for name in group:
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            raise ConversionError("the HDF5 file holds a link to somewhere else, which is not followed")
        item = group[name]
        if isinstance(item, h5py.Group):
            yield from _tensors(item, (*path, name), size)
        elif path and isinstance(item, h5py.Dataset) and _is_plain(item, size):
            yield (path[0], name.removesuffix(":0")), np.asarray(item[()])
        else:
            raise ConversionError("the HDF5 file holds something other than plain float32 tensors")


def _is_plain(dataset: h5py.Dataset, size: int) -> bool:
    """Whether the numbers lie in this file as they are: a filter or a chunked layout could unpack to any size."""
    stored_here = not dataset.is_virtual and dataset.external is None and dataset.chunks is None
    return stored_here and dataset.dtype == np.dtype("<f4") and dataset.nbytes <= size


def _renumbered(tensors: dict[tuple[str, str], Array]) -> dict[str, Array]:
    layers: set[tuple[str, int, str]] = set()
    for layer, _ in tensors:
        match = _LAYER.fullmatch(layer)
        if match is None:
            raise ConversionError("the HDF5 file names a layer in a way Keras does not")
        layers.add((match["kind"], int(match["number"]), layer))
    names: dict[str, str] = {}
    for kind, group in groupby(sorted(layers), key=lambda entry: entry[0]):
        names |= {layer: f"{kind}.{index}" for index, (_, _, layer) in enumerate(group)}
    return {f"{names[layer]}.{tensor}": values for (layer, tensor), values in tensors.items()}
