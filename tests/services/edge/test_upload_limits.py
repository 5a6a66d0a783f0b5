"""How much of an upload is read: limits to the byte, and what a large body costs."""

from __future__ import annotations

import base64
import contextlib
import json
import time
import tracemalloc
from collections.abc import Iterator

import pytest

from facesocial.configuration import LimitSettings
from facesocial.errors import BadRequest, FileExpected, PayloadTooLarge
from tests.services.edge.conftest import Sender
from tests.services.edge.uploads import MULTIPART, form, part, read

pytestmark = pytest.mark.unit


def _encode(kind: str, content: bytes) -> tuple[str, bytes]:
    if kind == "multipart":
        return MULTIPART, form(part("image", content, "x"))
    if kind == "json":
        return "application/json", json.dumps({"image": base64.b64encode(content).decode()}).encode()
    return "image/jpeg", content


@pytest.mark.parametrize("declared", [True, False])
@pytest.mark.parametrize("kind", ["multipart", "raw", "json"])
async def test_r26_the_limit_is_exact(send: Sender, kind: str, declared: bool) -> None:
    """−128, at the limit: accepted; +1, +128: 413 that names the limit. With a Content-Length and without."""
    for size in (4096 - 128, 4096, 4097, 4096 + 128):
        content_type, body = _encode(kind, bytes(size))
        headers = {"content_length": str(len(body))} if declared else {}
        request = send(content_type, body, **headers)[0]
        if size <= 4096:
            assert len((await read(request)).files["image"].content) == size
        else:
            with pytest.raises(PayloadTooLarge, match="4096"):
                await read(request)


@pytest.mark.parametrize("kind", ["multipart", "raw", "json"])
async def test_s6_reading_ends_at_the_limit(send: Sender, kind: str) -> None:
    """An endless body: at most 64 KiB beyond what the limit needs; a declared one is not read at all."""

    def endless() -> Iterator[bytes]:
        body = _encode(kind, b"")[1]
        yield body[: body.find(b"\r\n\r\n") + 4] if kind == "multipart" else b'{"image":"' if kind == "json" else b""
        while True:
            yield b"A" * 1024

    content_type = _encode(kind, b"")[0]
    request, wire = send(content_type, endless())
    with pytest.raises(PayloadTooLarge, match="4096"):
        await read(request)
    assert wire.read < 2 * 4096 + 1024
    request, wire = send(content_type, endless(), content_length=str(1 << 30))
    with pytest.raises(PayloadTooLarge, match="4096"):
        await read(request)
    assert wire.read == 0


async def test_text_fields_have_a_limit_of_their_own(send: Sender) -> None:
    with pytest.raises(PayloadTooLarge, match="1024"):
        await read(send(MULTIPART, form(part("image", b"x", "x"), part("tasks", b"a" * 1025)))[0])


async def test_two_images_of_full_size_fit(send: Sender) -> None:
    body = form(part("image_a", bytes(4096), "x"), part("image_b", bytes(4096), "x"))
    upload = await read(send(MULTIPART, body, content_length=str(len(body)))[0], ("image_a", "image_b"))
    assert [len(file.content) for file in upload.files.values()] == [4096, 4096]


async def test_s9_dashes_behind_the_boundary_cost_little(send: Sender) -> None:
    limits = LimitSettings()
    for body in (
        b"--b0undary" + b"-" * 5_000_000,
        b"\r\n" * 2_500_000,
        form(part("image", b"x", "x")) + b"-" * 5_000_000,
    ):
        started = time.perf_counter()
        with contextlib.suppress(BadRequest, FileExpected):
            assert "image" in (await read(send(MULTIPART, body)[0], limits=limits)).files
        assert time.perf_counter() - started < 0.1


async def test_s10_ten_megabytes_of_brackets_do_not_become_objects(send: Sender) -> None:
    body = b'{"image": [' + b"{}," * 3_000_000 + b"1]}"
    tracemalloc.start()
    with pytest.raises(BadRequest):
        await read(send("application/json", body)[0], limits=LimitSettings())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 40e6
