"""What may stand in a log line, and that nothing else does, however it is put in."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from facesocial.errors import FileExpected
from facesocial.privacy import harmless, harmless_text, outline, withhold

pytestmark = pytest.mark.unit

SHOWN = 16
"""Bytes of a secret in a row that must not come out."""

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

content = st.binary(min_size=24, max_size=200)
opaque = content.map(lambda data: base64.urlsafe_b64encode(data).rstrip(b"=").decode())
jwt = st.tuples(opaque, opaque).map(lambda parts: f"eyJhbGciOiJFZERTQSJ9.{parts[0]}.{parts[1]}")
WORDS = ["holiday", "with", "anna", "private", "2026", "IMG", "front", "Scan", "v2"]
spoken = st.lists(st.sampled_from(WORDS), min_size=4, max_size=9)
anything = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=80)
names = st.one_of(anything, st.tuples(st.sampled_from([" ", "_", "-", "."]), spoken).map(lambda of: of[0].join(of[1])))
file_names = st.tuples(names, st.sampled_from([".jpg", ".PNG", ".webp", ".mp4", ".heic", ".npy", ".zip"])).map("".join)
floats = st.lists(st.floats(-1, 1), min_size=16, max_size=128)


def rows(data: bytes) -> list[list[int]]:
    """A picture of eight pixels."""
    return [list(data[n : n + 3]) for n in range(0, 24, 3)]


SECRETS: dict[str, st.SearchStrategy[tuple[Any, str]]] = {
    "bytes": content.map(lambda data: (data, data.hex())),
    "bytes, shown": content.map(lambda data: (f"got {data!r}", repr(data)[2:-1])),
    "hex": content.map(lambda data: (data.hex(), data.hex())),
    "hex, spaced": content.map(lambda data: (data.hex(" "), data.hex(" "))),
    "memoryview": content.map(lambda data: (memoryview(data), data.hex())),
    "pixels": content.map(lambda data: (np.frombuffer(data, np.uint8), str(list(data))[1:-1])),
    "pixel list": content.map(lambda data: (list(data), str(list(data))[1:-1])),
    "pixel rows": content.map(lambda data: (rows(data), str(rows(data)))),
    "number": content.map(lambda data: (int.from_bytes(b"\1" + data), str(int.from_bytes(b"\1" + data)))),
    "base64": content.map(lambda data: (base64.b64encode(data).decode(),) * 2),
    "data URI": content.map(lambda data: ("data:image/png;base64," + base64.b64encode(data).decode(),) * 2).map(
        lambda pair: (pair[0], pair[1].partition(",")[2])
    ),
    "embedding": floats.map(lambda row: (row, str(row)[1:-1])),
    "embedding, shown": floats.map(lambda row: (f"embedding {row}", str(row)[1:-1])),
    "embedding array": floats.map(lambda row: (np.array(row), str(row)[1:-1])),
    "opaque token": opaque.map(lambda token: (token, token)),
    "JWT": jwt.map(lambda token: (token, token)),
    "bearer": st.text(ALPHABET, min_size=16, max_size=60).map(lambda token: (f"Bearer {token}", token)),
    "query": st.text(ALPHABET, min_size=16, max_size=60).map(lambda token: (f"/v1/detect?token={token}", token)),
    "file name": file_names.map(lambda name: (name, name)),
    "path": file_names.map(lambda name: (f"cannot open /tmp/{name}", name)),
    "path object": file_names.map(lambda name: (Path("/tmp", name), name)),
}
"""Kind → (a value that holds a secret, how that would look in a line)."""

WRAPPERS: list[Callable[[Any], Any]] = [
    lambda value: value,
    lambda value: [value, 1],
    lambda value: (value, "text"),
    lambda value: {"key": value},
    lambda value: {"outer": [{"inner": value}]},
    lambda value: {str(value): 1},
    lambda value: f"it was {value}",
    lambda value: f"{value!r}",
    ValueError,
    lambda value: OSError(2, value),
]


def rendered(value: Any) -> str:
    """The line that is written."""
    return json.dumps(withhold(None, "info", {"event": "test", "value": value}), ensure_ascii=False)


def leaks(secret: str, line: str) -> bool:
    """Whether `SHOWN` characters of the secret in a row, as it is or as JSON has it, are in the line."""
    return _leaks(secret, line) or _leaks(json.dumps(secret, ensure_ascii=False)[1:-1], line)


def _leaks(secret: str, line: str) -> bool:
    return any(secret[n : n + SHOWN] in line for n in range(len(secret) - SHOWN + 1))


@pytest.mark.parametrize("kind", SECRETS)
def test_no_secret_comes_out_whatever_it_is_put_in(kind: str) -> None:
    @settings(max_examples=60, deadline=None, database=None)
    @given(SECRETS[kind], st.lists(st.sampled_from(WRAPPERS), max_size=3))
    def check(pair: tuple[Any, str], wrappers: list[Callable[[Any], Any]]) -> None:
        value, secret = pair
        for wrap in wrappers:
            value = wrap(value)
        line = rendered(value)
        assert not leaks(secret, line)
        assert json.dumps(withhold(None, "info", json.loads(line)), ensure_ascii=False) == line

    check()


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(["token", "Authorization", "PASSWORD", "file_name", "filename", "image", "embedding", "api_key"]),
    st.text() | st.integers() | st.lists(st.text()) | st.dictionaries(st.text(), st.text()),
)
def test_what_stands_under_such_a_key_is_never_shown(key: str, value: Any) -> None:
    (shown,) = harmless({key: value}).values()
    assert shown == (
        f"<{type(value).__name__}>" if isinstance(value, int) else f"<{type(value).__name__} {len(value)}>"
    )


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (b"12345", "<bytes 5>"),
        (bytearray(3), "<bytearray 3>"),
        (memoryview(bytes(8)).cast("i"), "<memoryview 8>"),
        (np.zeros((4, 5, 3), np.uint8), "<ndarray 4x5x3>"),
        (Image.new("RGB", (3, 4)), "<Image>"),
        (Path("/tmp/anna"), "<PosixPath>"),
        (list(range(512)), "<list 512>"),
        ({"a": [0.5] * 13}, "<dict 1>"),
        ("x" * 500, "<text 500>"),
        ("my holiday with anna.jpg", "<text 24>"),
        ("Bearer abc", "Bearer <secret>"),
        ("it said password: abc, and left", "it said password: <secret> and left"),
        (float("nan"), "nan"),
        (np.float32(0.5), 0.5),
        (np.int64(7), 7),
        (10**30, "<int 100>"),
        (ValueError("anna"), "ValueError"),
        (FileExpected("'image' must hold a file"), "FileExpected: 'image' must hold a file"),
        (OSError(2, "anna"), "FileNotFoundError: No such file or directory"),
        (object(), "<object>"),
    ],
)
def test_a_word_says_what_stood_there(value: Any, shown: Any) -> None:
    assert harmless(value) == shown


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        7,
        0.5,
        "2026-11-26T06:59:11.035270Z",
        "/v1/detect",
        "/v1/admin/models/face-detection/activate",
        "/livez",
        "face_detection_yunet_2023mar:0a1b2c3d4e5f",
        "facesocial_inner",
        "answered by the CPU lane",
        "its process is not there",
        "face-detection: not installed",
        "the model's own",
        "cuda:0",
        "LicenceRef-FaceSocial-Starter-Weights; commercial use: no",
        'Starting production HTTP BentoServer from "bentos.service:FaceSocial" listening on http://127.0.0.1:51675',
        "FACESOCIAL__SERVER__PORT: 70000 is out of range",
        [744, 347, 844, 476],
        {"width": 1280, "height": 886},
    ],
)
def test_what_we_log_stays(value: Any) -> None:
    assert harmless(value) == value


def test_request_ids_stay_under_their_key() -> None:
    identity = "0a1b2c3d" * 4
    assert withhold(None, "", {"request_id": identity}) == {"request_id": identity}
    assert withhold(None, "", {"request_id": identity * 2}) == {"request_id": "<word 64>"}
    assert harmless_text(identity) == "<word 32>"


def test_an_exception_is_its_types_and_places() -> None:
    """Neither messages nor notes nor the lines of code; of our own errors the message, which is for callers."""
    try:
        try:
            raise KeyError("hunter2")
        except KeyError as error:
            error.add_note("hunter2")
            raise FileExpected("'image' must hold a file") from error
    except FileExpected as error:
        lines = outline(error)
    assert [lines[0], lines[2]] == ["FileExpected: 'image' must hold a file", "caused by KeyError"]
    assert all(__name__ in line and "test_an_exception" in line for line in (lines[1], lines[3]))
    assert "hunter2" not in str(lines)


@pytest.mark.parametrize(
    "route", ["/v1/admin/models/{alias}/activate", "/v1/admin/models/{alias}/unload", "/docs.json"]
)
def test_the_name_of_a_route_is_said_whole_and_nothing_else_under_its_key(route: str) -> None:
    """Else activate and rollback look alike."""
    assert harmless({"route": route}) == {"route": route}
    for other in ("/v1/Anna.Smith", "/v1/anna smith", "anna/smith", "/" + "a" * 33):
        assert harmless({"route": other}) == {"route": harmless_text(other)}
