"""One named entry leaves a zip, within its bound; nothing else in the zip has any effect."""

from __future__ import annotations

import stat
import zipfile
from pathlib import Path

import pytest

from facesocial.errors import ModelIntegrityError
from models import archive

pytestmark = pytest.mark.unit


def pack(folder: Path, *entries: tuple[str | zipfile.ZipInfo, bytes]) -> Path:
    path = folder / "pack.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as bundle:
        for name, content in entries:
            bundle.writestr(name, content)
    return path


def extract(path: Path, limit: int = 1000) -> Path:
    target = path.parent / "out" / "model"
    target.parent.mkdir()
    archive.extract(path, "m.onnx", target, limit)
    return target


@pytest.mark.parametrize("name", ["m.onnx", "folder/m.onnx", "../../m.onnx", "/etc/m.onnx"])
def test_the_entry_is_found_in_any_folder_and_written_to_the_target_only(tmp_path: Path, name: str) -> None:
    target = extract(pack(tmp_path, ("other.onnx", b"other"), (name, b"content")))
    assert target.read_bytes() == b"content"
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["model", "out", "pack.zip"]


@pytest.mark.parametrize("names", [("other.onnx",), ("a/m.onnx", "b/m.onnx"), ("m.onnx/",)])
def test_there_must_be_exactly_one_such_entry(tmp_path: Path, names: tuple[str, ...]) -> None:
    with pytest.raises(ModelIntegrityError, match="instead of one"):
        extract(pack(tmp_path, *((name, b"") for name in names)))


def test_an_entry_over_the_bound_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelIntegrityError, match="larger than 1000 bytes"):
        extract(pack(tmp_path, ("m.onnx", b"0" * 1001)))


def test_an_entry_that_lies_about_its_size_is_refused(tmp_path: Path) -> None:
    path = pack(tmp_path, ("m.onnx", b"0" * 100_000))
    honest, lie = (100_000).to_bytes(4, "little"), (10).to_bytes(4, "little")
    path.write_bytes(path.read_bytes().replace(honest, lie))
    with pytest.raises(ModelIntegrityError):
        extract(path)
    assert list((tmp_path / "out").iterdir()) == []


def test_a_link_is_refused(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("m.onnx")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with pytest.raises(ModelIntegrityError, match="a link or encrypted"):
        extract(pack(tmp_path, (link, b"/etc/passwd")))


@pytest.mark.parametrize("damage", [slice(40, 50), slice(-10, None), slice(0, None)], ids=["data", "directory", "all"])
def test_a_damaged_zip_is_refused(tmp_path: Path, damage: slice) -> None:
    path = pack(tmp_path, ("m.onnx", bytes(range(256)) * 3))
    content = bytearray(path.read_bytes())
    content[damage] = b"\xee" * len(content[damage])
    path.write_bytes(content)
    with pytest.raises(ModelIntegrityError):
        extract(path)
    assert list((tmp_path / "out").iterdir()) == []
