"""The HDF5 reader takes plain float32 weights and refuses everything else HDF5 can express."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from facesocial.errors import ConversionError
from models.convert import keras_h5

pytestmark = pytest.mark.unit

KERNEL = np.arange(12, dtype=np.float32).reshape(1, 1, 3, 4)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file as Keras writes it, with layers numbered from 9 and created in the order 9, 10."""
    path = tmp_path / "weights.h5"
    with h5py.File(path, "w") as file:
        file.create_group("dropout_1")
        file["conv2d_10/conv2d_10/bias:0"] = np.ones(4, np.float32)
        file["conv2d_9/conv2d_9/kernel:0"] = KERNEL
    return path


def test_layers_are_counted_by_kind(path: Path) -> None:
    """`conv2d_9` is the first convolution and `conv2d_10` the second, not the other way round as in the alphabet."""
    tensors = keras_h5.read(path)
    assert sorted(tensors) == ["conv2d.0.kernel", "conv2d.1.bias"]
    np.testing.assert_array_equal(tensors["conv2d.0.kernel"], KERNEL)


def _external_link(file: h5py.File, folder: Path) -> None:
    with h5py.File(folder / "secret.h5", "w") as other:
        other["conv2d_1/conv2d_1/kernel:0"] = KERNEL
    file["conv2d_1"] = h5py.ExternalLink("secret.h5", "/conv2d_1")


def _soft_link(file: h5py.File, _: Path) -> None:
    file["conv2d_1"] = h5py.SoftLink("/conv2d_9")


def _external_storage(file: h5py.File, folder: Path) -> None:
    secret = folder / "secret.bin"
    secret.write_bytes(b"secret numbers..")
    file.create_dataset("conv2d_1/conv2d_1/bias:0", (4,), "<f4", external=[(str(secret), 0, 16)])


def _virtual(file: h5py.File, folder: Path) -> None:
    with h5py.File(folder / "secret.h5", "w") as other:
        other["numbers"] = np.ones(4, np.float32)
    layout = h5py.VirtualLayout((4,), np.float32)
    layout[:] = h5py.VirtualSource(folder / "secret.h5", "numbers", (4,))
    file.create_virtual_dataset("conv2d_1/conv2d_1/bias:0", layout)


def _bomb(file: h5py.File, _: Path) -> None:
    file.create_dataset("conv2d_1/conv2d_1/bias:0", (2**32,), "<f4", chunks=(2**20,), compression="gzip")


def _filtered(file: h5py.File, _: Path) -> None:
    file.create_dataset("conv2d_1/conv2d_1/bias:0", data=np.ones(4, np.float32), compression="gzip")


def _late_allocation(file: h5py.File, _: Path) -> None:
    file.create_dataset("conv2d_1/conv2d_1/bias:0", (2**40,), "<f4")


def _many_names(file: h5py.File, _: Path) -> None:
    for number in range(100, 300):
        file[f"conv2d_{number}/a/big:0"] = file.require_dataset("conv2d_1/a/big:0", (4096,), "<f4", data=np.ones(4096))


def _loop(file: h5py.File, _: Path) -> None:
    file["conv2d_9/again"] = file["conv2d_9"]


def _double(file: h5py.File, _: Path) -> None:
    file["conv2d_1/conv2d_1/bias:0"] = np.ones(4)


def _dataset_at_the_top(file: h5py.File, _: Path) -> None:
    file["conv2d_1"] = np.ones(4, np.float32)


def _odd_name(file: h5py.File, _: Path) -> None:
    file["conv/conv/bias:0"] = np.ones(4, np.float32)


def _named_type(file: h5py.File, _: Path) -> None:
    file["conv2d_1"] = np.dtype("<f4")


@pytest.mark.parametrize(
    "spoil",
    [
        _external_link,
        _soft_link,
        _external_storage,
        _virtual,
        _bomb,
        _filtered,
        _late_allocation,
        _many_names,
        _loop,
        _double,
        _dataset_at_the_top,
        _odd_name,
        _named_type,
    ],
)
def test_what_no_keras_network_needs_is_refused(
    spoil: Callable[[h5py.File, Path], None], path: Path, tmp_path: Path
) -> None:
    """Links and data elsewhere are not followed; nothing is allocated that the file does not hold."""
    with h5py.File(path, "a") as file:
        spoil(file, tmp_path)
    with pytest.raises(ConversionError):
        keras_h5.read(path)


@pytest.mark.parametrize("share", [0, 0.1, 0.5, 0.9])
def test_a_file_cut_short_is_refused(share: float, path: Path) -> None:
    """Wherever it ends."""
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(ConversionError, match="HDF5"):
        keras_h5.read(path)
