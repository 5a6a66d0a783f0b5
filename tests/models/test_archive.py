"""One named entry leaves a zip, within its bound; nothing else in the zip has any effect."""

from __future__ import annotations

import hashlib
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


def sifted(path: Path, *known: bytes) -> tuple[list[str], list[bytes]]:
    """Names left out, and what was taken."""
    folder = path.parent / "out"
    folder.mkdir()
    with path.open("rb") as file:
        left_out = archive.sift(file, {hashlib.sha256(content).hexdigest() for content in known}, folder)
    assert all(taken.name == hashlib.sha256(taken.read_bytes()).hexdigest() for taken in folder.iterdir())
    return left_out, sorted(taken.read_bytes() for taken in folder.iterdir())


def test_known_entries_are_told_by_their_digest_wherever_they_lie(tmp_path: Path) -> None:
    path = pack(
        tmp_path, ("buffalo/det.onnx", b"one"), ("../../rec.onnx", b"two"), ("a/readme.md", b"?"), ("empty/", b"")
    )
    assert sifted(path, b"one", b"two", b"three") == (["readme.md"], [b"one", b"two"])
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["out", "pack.zip"]


def test_a_pack_over_its_bounds_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_UNPACKED", 1000)
    path = pack(tmp_path, ("a", b"0" * 600), ("b", b"1" * 600))
    with pytest.raises(ModelIntegrityError, match="more than 1000 bytes"):
        sifted(path, b"0" * 600)


def test_a_pack_that_lies_about_its_size_is_refused(tmp_path: Path) -> None:
    path = pack(tmp_path, ("m.onnx", b"0" * 100_000))
    honest, lie = (100_000).to_bytes(4, "little"), (10).to_bytes(4, "little")
    path.write_bytes(path.read_bytes().replace(honest, lie))
    with pytest.raises(ModelIntegrityError):
        sifted(path, b"0" * 100_000)
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no zip"])
def test_what_is_no_zip_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "pack.zip").write_bytes(content)
    with pytest.raises(ModelIntegrityError, match="cannot be read"):
        sifted(tmp_path / "pack.zip")


def test_a_link_in_a_pack_is_refused(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("m.onnx")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with pytest.raises(ModelIntegrityError, match="a link or encrypted"):
        sifted(pack(tmp_path, (link, b"/etc/passwd")))


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
