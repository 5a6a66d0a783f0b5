"""The unpickler reads state dicts of the legacy torch format, and nothing in a file makes it do anything else."""

from __future__ import annotations

import re
import struct
from pathlib import Path

import numpy as np
import pytest

from facesocial.errors import ConversionError
from models.convert import torch_legacy

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[3]
PACKAGES = ("bentos", "cli", "facesocial", "models", "runners", "services", "vram_policy")
NUMBERS = np.arange(6, dtype=np.float32)
HEAD = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19." + b"\x80\x02M\xe9\x03."
SYSTEM = b"\x80\x02}X\x0d\x00\x00\x00little_endian\x88s."


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value)) + value.encode()


def integer(value: int) -> bytes:
    size = value.bit_length() // 8 + 1
    return b"\x8a" + bytes([size]) + value.to_bytes(size, "little", signed=True)


def name_global(module: str, name: str) -> bytes:
    return f"c{module}\n{name}\n".encode()


def integers(values: tuple[int, ...]) -> bytes:
    return b"(" + b"".join(map(integer, values)) + b"t"


def tensor(
    shape: tuple[int, ...] = (2, 3), stride: tuple[int, ...] = (3, 1), offset: int = 0, length: int = 6, key: str = "7"
) -> bytes:
    """What torch pickles for a tensor: a call of `_rebuild_tensor_v2` on a storage by reference."""
    storage = b"(" + text("storage") + name_global("torch", "FloatStorage") + text(key) + text("cuda:0")
    view = integer(offset) + integers(shape) + integers(stride) + b"\x89" + name_global("collections", "OrderedDict")
    return (
        name_global("torch._utils", "_rebuild_tensor_v2") + b"(" + storage + integer(length) + b"NtQ" + view + b")RtR"
    )


def state(value: bytes, after: bytes = b"") -> bytes:
    ordered = name_global("collections", "OrderedDict") + b")R"
    return b"\x80\x02" + ordered + b"(" + text("weight") + value + b"u" + after + b"."


def torch_file(
    pickled: bytes, *, keys: bytes = b"\x80\x02](X\x01\x00\x00\x007e.", length: int = 6, tail: bytes = NUMBERS.tobytes()
) -> bytes:
    return HEAD + SYSTEM + pickled + keys + struct.pack("<q", length) + tail


def read(tmp_path: Path, data: bytes) -> dict[str, np.ndarray]:
    path = tmp_path / "weights.pth"
    path.write_bytes(data)
    return torch_legacy.read(path)


def test_a_state_dict_is_read(tmp_path: Path) -> None:
    """Name, shape and numbers."""
    tensors = read(tmp_path, torch_file(state(tensor())))
    assert list(tensors) == ["weight"]
    np.testing.assert_array_equal(tensors["weight"], NUMBERS.reshape(2, 3))


def test_a_tensor_may_be_part_of_its_storage(tmp_path: Path) -> None:
    """By offset, as for parameters that share a buffer."""
    tensors = read(tmp_path, torch_file(state(tensor((2,), (1,), offset=4))))
    np.testing.assert_array_equal(tensors["weight"], [4, 5])


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("os", "system"),
        ("posix", "system"),
        ("subprocess", "Popen"),
        ("builtins", "eval"),
        ("builtins", "getattr"),
        ("collections", "OrderedDict.update"),
        ("models.convert.torch_legacy", "read"),
        ("torch.nn.modules.conv", "Conv2d"),
        ("torch.storage", "_load_from_bytes"),
    ],
)
def test_any_other_global_is_refused(module: str, name: str, tmp_path: Path) -> None:
    """The crafted file would create a file; it does not appear, and the message names what was asked for."""
    witness = tmp_path / "witness"
    call = b"\x80\x02" + name_global(module, name) + b"(" + text(f"touch {witness}") + b"tR."
    with pytest.raises(ConversionError, match=re.escape(f"{module}.{name}")):
        read(tmp_path, torch_file(call))
    assert not witness.exists()


@pytest.mark.parametrize("position", ["magic", "protocol", "system", "keys"])
def test_the_other_pickles_are_restricted_too(position: str, tmp_path: Path) -> None:
    """All five pickles of the format go through the same unpickler."""
    call = b"\x80\x02" + name_global("os", "system") + b"(" + text("true") + b"tR."
    files = {
        "magic": call,
        "protocol": HEAD[:15] + call,
        "system": HEAD + call,
        "keys": torch_file(state(tensor()), keys=call),
    }
    with pytest.raises(ConversionError, match=r"os\.system"):
        read(tmp_path, files[position])


def test_a_pickle_cannot_change_the_stand_ins(tmp_path: Path) -> None:
    """BUILD, which sets attributes, is refused on a stand-in and ignored on the state dict, whose methods stay."""
    attributes = b"}" + text("__call__") + text("other") + b"s"
    on_function = b"\x80\x02" + name_global("torch._utils", "_rebuild_tensor_v2") + attributes + b"b."
    on_class = b"\x80\x02" + name_global("collections", "OrderedDict") + attributes + b"b."
    on_type = b"\x80\x02" + name_global("torch", "FloatStorage") + b"N}" + text("dtype") + text("<f8") + b"s\x86b."
    for pickled in (on_function, on_class, on_type):
        with pytest.raises(ConversionError, match="damaged"):
            read(tmp_path, torch_file(pickled))
    shadowed = state(tensor(), after=b"}" + text("items") + integer(1) + b"sb")
    assert list(read(tmp_path, torch_file(shadowed))) == ["weight"]


def test_a_file_cut_anywhere_is_refused(tmp_path: Path) -> None:
    """Every proper prefix."""
    data = torch_file(state(tensor()))
    for end in range(len(data)):
        with pytest.raises(ConversionError):
            read(tmp_path, data[:end])


@pytest.mark.parametrize(
    "view",
    [
        tensor((2, 4), (4, 1)),
        tensor((2, 3), (3, 1), offset=1),
        tensor((2, 3), (3, 1), offset=-3),
        tensor((10**9, 3), (0, 1)),
        tensor((3, 2), (1, 3)),
        tensor((2, -3), (-3, 1)),
        tensor((1,) * 40, (1,) * 40),
        tensor(length=7),
        tensor(length=10**30),
        tensor(length=-1),
        tensor(key="8"),
        text("no tensor"),
        integer(3),
    ],
)
def test_a_tensor_that_does_not_fit_is_refused(view: bytes, tmp_path: Path) -> None:
    """Outside its storage, strided, of another length than stored, without storage, or no tensor."""
    with pytest.raises(ConversionError):
        read(tmp_path, torch_file(state(view)))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "damaged"),
        (b"PK\x03\x04 and so on", "zip"),
        (b"\x80\x02K\x01.", "not a torch file"),
        (HEAD + b"\x80\x02}X\x0d\x00\x00\x00little_endian\x89s.", "little-endian"),
        (torch_file(b"\x80\x02]."), "no state dict"),
        (torch_file(state(tensor()), length=5), "damaged"),
        (torch_file(state(tensor()), tail=NUMBERS.tobytes() + b"!"), "damaged"),
        (torch_file(state(tensor()), keys=b"\x80\x02]."), "damaged"),
    ],
)
def test_what_is_no_such_file_is_refused(data: bytes, message: str, tmp_path: Path) -> None:
    """With a message that says which."""
    with pytest.raises(ConversionError, match=message):
        read(tmp_path, data)


def test_h_nothing_else_in_the_product_reads_pickles() -> None:
    """No other module imports what can unpickle."""
    pattern = re.compile(
        r"^\s*(?:import|from) (?:pickle|_pickle|cloudpickle|dill|joblib|marshal|shelve|torch)\b", re.MULTILINE
    )
    readers = [
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in sorted((ROOT / package).rglob("*.py"))
        if pattern.search(path.read_text("utf-8")) or "allow_pickle=True" in path.read_text("utf-8")
    ]
    assert readers == ["models/convert/torch_legacy.py"]


def test_h_nothing_in_the_product_registers_a_library_of_operators() -> None:
    files = [file for package in PACKAGES for file in (ROOT / package).rglob("*.py")]
    assert [file.name for file in files if "register_custom_ops" in file.read_text("utf-8")] == []
