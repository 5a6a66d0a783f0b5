"""A file is judged by its content and by being a plain file, never by its name."""

from __future__ import annotations

import io
import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from facesocial.errors import ModelIntegrityError
from models import formats
from models.formats import Format, inspect, read_regular

pytestmark = pytest.mark.unit

TFLITE = b"\x1c\x00\x00\x00TFL3" + bytes(32)


def bundle(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as zipped:
        for name, content in members.items():
            zipped.writestr(name.replace("__", "."), content)
    return buffer.getvalue()


def test_onnx_and_tasks_are_told_apart(make_onnx: Callable[..., bytes]) -> None:
    assert inspect(make_onnx()) is Format.ONNX
    assert inspect(bundle(face__tflite=TFLITE, geometry__binarypb=b"x")) is Format.TASK


def test_the_bundle_that_mediapipe_publishes_passes(mirror: Path) -> None:
    """It begins with two zero bytes."""
    (path,) = mirror.rglob("face_landmarker.task")
    assert inspect(path.read_bytes()) is Format.TASK


@pytest.mark.parametrize(
    "content",
    [
        bundle(face__tflite=b"not a network"),
        bundle(geometry__binarypb=b"x"),
        bundle(face__tflite=TFLITE, run__py=b"import os"),
        bundle(face__tflite=TFLITE)[:-20],
        bundle(**{f"m{number}__tflite": TFLITE for number in range(formats.MAX_TASK_MEMBERS + 1)}),
        pickle.dumps({"weights": [1.0]}),
        b"\x00\x00\x00\x00ORTM" + bytes(64),
        b"",
    ],
    ids=["no tflite", "no network", "code beside", "cut off", "too many", "pickle", "ort format", "empty"],
)
def test_h_anything_else_is_refused(content: bytes) -> None:
    with pytest.raises(ModelIntegrityError):
        inspect(content)


def test_onnx_with_a_zip_behind_it_is_still_checked_as_onnx(make_onnx: Callable[..., bytes]) -> None:
    """Else external data could pass as a task and be opened as ONNX."""
    with pytest.raises(ModelIntegrityError, match="not an ONNX model"):
        inspect(make_onnx() + bundle(face__tflite=TFLITE))


def test_a_plain_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "m"
    path.write_bytes(b"content")
    assert read_regular(path) == b"content"


def test_h_links_and_special_files_are_refused(tmp_path: Path) -> None:
    path, hard, soft, pipe = (tmp_path / name for name in ("file", "hard", "soft", "pipe"))
    path.write_bytes(b"content")
    soft.symlink_to(path)
    os.mkfifo(pipe)
    for other in (soft, pipe, tmp_path, tmp_path / "absent"):
        with pytest.raises(ModelIntegrityError):
            read_regular(other)
    os.link(path, hard)
    for name in (path, hard):
        with pytest.raises(ModelIntegrityError, match="is a link"):
            read_regular(name)


def test_a_file_over_the_bound_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formats, "MAX_BYTES", 10)
    (tmp_path / "m").write_bytes(b"x" * 11)
    with pytest.raises(ModelIntegrityError, match="larger than"):
        read_regular(tmp_path / "m")
