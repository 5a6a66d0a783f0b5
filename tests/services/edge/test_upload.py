"""The one reader of uploads: three body forms, limits to the byte, and nothing a caller sends that it cannot refuse."""

from __future__ import annotations

import base64
import itertools
import json
import re
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.types import Message

from facesocial.errors import (
    BadRequest,
    FileExpected,
    InputError,
    PayloadTooLarge,
    UnsupportedMediaType,
)
from services.edge.upload import MAX_PARTS, Upload, UploadedFile
from tests.services.edge.conftest import Sender
from tests.services.edge.uploads import MULTIPART, form, part, read

pytestmark = pytest.mark.unit


async def test_multipart(send: Sender) -> None:
    body = form(
        part("image", b"\x00\r\n--b0undar\xff", "a.jpg", "IMAGE/JPEG"),
        part("min_score", b"0.5"),
        part("tasks", b"embed"),
    )
    upload = await read(send(MULTIPART, body)[0])
    assert upload.files == {"image": UploadedFile(b"\x00\r\n--b0undar\xff", "image/jpeg")}
    assert upload.fields == {"min_score": 0.5, "tasks": "embed"}


async def test_raw_image_with_query(send: Sender) -> None:
    upload = await read(send("image/png; q=1", [b"ab", b"cd"], "max_faces=3&tasks=embed,mesh")[0])
    assert upload.files == {"image": UploadedFile(b"abcd", "image/png")}
    assert upload.fields == {"max_faces": 3, "tasks": "embed,mesh"}


async def test_parameters_in_the_query_count_whatever_the_body_is(send: Sender) -> None:
    """Else `?liveness=true` beside a form would look as if it had been checked."""
    body = form(part("image", b"x", "a.jpg"), part("tasks", b"embed"))
    upload = await read(send(MULTIPART, body, "liveness=true&max_faces=3")[0])
    assert upload.fields == {"tasks": "embed", "liveness": True, "max_faces": 3}
    encoded = json.dumps({"image": base64.b64encode(b"abcd").decode()}).encode()
    assert (await read(send("application/json", encoded, "max_faces=3")[0])).fields == {"max_faces": 3}
    for query in ("tasks=mesh", "image=x"):
        with pytest.raises(BadRequest, match="twice"):
            await read(send(MULTIPART, body, query)[0])


async def test_a_file_under_another_name_is_told_its_name(send: Sender) -> None:
    with pytest.raises(FileExpected, match="expected as 'image', not under another"):
        await read(send(MULTIPART, form(part("file", bytes(2000), "a.jpg")))[0])


async def test_two_images_do_not_come_as_a_body(send: Sender) -> None:
    with pytest.raises(UnsupportedMediaType, match="two images come as"):
        await read(send("image/png", b"x")[0], ("image_a", "image_b"))


async def test_json(send: Sender) -> None:
    body = json.dumps({"image": base64.b64encode(b"abcd").decode(), "max_faces": 3, "tasks": None}).encode()
    upload = await read(send("application/json; charset=utf-8", body)[0])
    assert upload.files == {"image": UploadedFile(b"abcd", "")}
    assert upload.fields == {"max_faces": 3, "tasks": None}


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(cuts=st.sets(st.integers(1, 400)))
async def test_where_the_body_is_cut_into_pieces_changes_nothing(send: Sender, cuts: set[int]) -> None:
    body = form(part("image", b"\r\n--b0undary\r-\r\n--b0undarx\r\n--", "x"), part("tasks", "é".encode()))
    places = [0, *sorted(cut for cut in cuts if cut < len(body)), len(body)]
    whole = await read(send(MULTIPART, body)[0])
    pieces = [body[start:end] for start, end in itertools.pairwise(places)]
    assert await read(send(MULTIPART, pieces)[0]) == whole


async def test_every_single_cut_and_byte_by_byte(send: Sender) -> None:
    body = form(part("image", b"\r\n--b0undary\r-\r\n--", "x"), part("tasks", b"embed"))
    whole = await read(send(MULTIPART, body)[0])
    for cut in range(1, len(body)):
        assert await read(send(MULTIPART, [body[:cut], body[cut:]])[0]) == whole
    assert await read(send(MULTIPART, [body[i : i + 1] for i in range(len(body))])[0]) == whole


async def test_a_multipart_body_that_ends_anywhere_early_is_refused(send: Sender) -> None:
    body = form(part("image", b"content", "x"))
    for cut in range(len(body) - 4):  # the last "--" and line break are optional
        with pytest.raises((BadRequest, FileExpected)):
            await read(send(MULTIPART, body[:cut])[0])


URLS = [b"http://127.0.0.1:9/x", b"http://169.254.169.254/", b"http://[::ffff:127.0.0.1]/", b"file:///etc/passwd"]


@pytest.mark.parametrize("url", URLS)
async def test_s2_a_url_is_no_file(send: Sender, url: bytes) -> None:
    for content_type, body in [
        (MULTIPART, form(part("image", url))),
        (MULTIPART, form(part("image", url, declared="text/plain"))),
        ("text/plain", url),
        ("", url),
        ("application/x-www-form-urlencoded", b"image=" + url),
        ("application/json", json.dumps({"image": url.decode()}).encode()),
    ]:
        with pytest.raises(FileExpected, match="'image' must hold a file"):
            await read(send(content_type, body)[0])


@pytest.mark.parametrize(
    ("content_type", "body", "error"),
    [
        (MULTIPART, form(), (BadRequest, FileExpected)),
        (MULTIPART, form(part("other", b"x", "x")), FileExpected),
        (MULTIPART, form(part("image", b"", "x")), FileExpected),
        (MULTIPART, form(part("image", b"x")), FileExpected),
        (MULTIPART, form(part("image", b"x", "x"), part("image", b"y", "y")), BadRequest),
        (MULTIPART, form(part("image", b"x", "x"), part("a", b"1"), part("a", b"2")), BadRequest),
        (MULTIPART, form(*[part(f"a{n}", b"") for n in range(MAX_PARTS + 1)]), BadRequest),
        (MULTIPART, form(*[part(f"a{n}", b"") for n in range(1001)]), (BadRequest, PayloadTooLarge)),
        (MULTIPART, form(part("", b"x", "x")), BadRequest),
        (MULTIPART, form(part("image", b"x", "x"), part("tasks", b"\xff\xfe")), BadRequest),
        (MULTIPART, b"--b0undary\r\nno colon\r\n\r\nx\r\n--b0undary--\r\n", BadRequest),
        (MULTIPART, b"--b0undary\r\n\r\nno headers\r\n--b0undary--\r\n", BadRequest),
        (MULTIPART, b"--b0undary\r\nContent-Disposition: attachment; name=image\r\n\r\nx\r\n--b0undary--", BadRequest),
        (MULTIPART, b"--b0undary\r\nX: " + b"a" * 9000 + b"\r\n\r\n", (BadRequest, PayloadTooLarge)),
        (MULTIPART, b"", BadRequest),
        ("multipart/form-data", form(part("image", b"x", "x")), BadRequest),
        ("multipart/form-data; boundary=", form(part("image", b"x", "x")), BadRequest),
        ("multipart/form-data; boundary=" + "a" * 100_000, b"--", BadRequest),
        ("image/png", b"", FileExpected),
        ("application/json", b"", BadRequest),
        ("application/json", b"[]", BadRequest),
        ("application/json", b"{", BadRequest),
        ("application/json", b"\xff\xfe\xff", BadRequest),
        ("application/json", b"{}", FileExpected),
        ("application/json", b'{"image": null}', FileExpected),
        ("application/json", b'{"image": ""}', FileExpected),
        ("application/json", b'{"image": ["QUJD"]}', FileExpected),
        ("application/json", b'{"image": "QUJD", "image": "QUJD"}', BadRequest),
        ("application/json", b'{"image": "QUJD", "min_score": NaN}', BadRequest),
        ("application/json", b'{"image": "QUJD", "max_faces": ' + b"1" * 5000 + b"}", BadRequest),
        ("application/json", b"[" * 5000, BadRequest),
        ("application/json", b'{"image": "QUJD", "a": [' + b"[]," * 1000 + b"1]}", BadRequest),
        ("application/vnd.bentoml+pickle", b"\x80\x04.", UnsupportedMediaType),
        ("application/octet-stream", b"x", UnsupportedMediaType),
        ("multipart/mixed; boundary=b0undary", form(part("image", b"x", "x")), UnsupportedMediaType),
        ("video/mp4", b"x", UnsupportedMediaType),
    ],
)  # fmt: skip
async def test_what_cannot_be_read_is_refused(
    send: Sender, content_type: str, body: bytes, error: type[InputError]
) -> None:
    """S8, S10: each gets its error, at once."""
    started = time.perf_counter()
    with pytest.raises(error):
        await read(send(content_type, body)[0])
    assert time.perf_counter() - started < 0.2


@pytest.mark.parametrize(
    "value",
    [
        *("data:image/jpeg;base64,QUJD", "QUJ D", "QUJD\n", " QUJD", "QUJ", "QUJD=", "QUJD====", "QU=D", "Q", "Q==="),
        *("QUJ-", "QU_D", "QÜJD", "QUI=QUI=", "QUJD" + "!?" * 30),
    ],
)
async def test_i12_base64_that_is_not_plain_is_refused(send: Sender, value: str) -> None:
    with pytest.raises(FileExpected, match="base64"):
        await read(send("application/json", json.dumps({"image": value}).encode())[0])


@pytest.mark.parametrize(
    "name", ["../../etc/x", "/tmp/x", "a\x00b", "a" * 4000, "\u202egpj.exe", 'q"uote', "a;b", "\\x"]
)
async def test_s7_file_names_are_ignored(send: Sender, name: str) -> None:
    """The upload holds nothing of them; a quote may end the header early, which is the caller's loss."""
    answer: Upload | InputError
    try:
        answer = await read(send(MULTIPART, form(part("image", b"content", name)))[0])
    except InputError as error:
        answer = error
    assert answer == Upload({"image": UploadedFile(b"content", "")}, {}) or (
        isinstance(answer, InputError) and name not in str(answer)
    )


async def test_a_parameter_given_twice_is_refused(send: Sender) -> None:
    with pytest.raises(BadRequest, match="twice"):
        await read(send("image/png", b"x", "max_faces=1&max_faces=2")[0])


async def test_a_caller_who_leaves_is_no_defect() -> None:
    async def receive() -> Message:
        return {"type": "http.disconnect"}

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/",
        "query_string": b"",
        "headers": [(b"content-type", b"image/png")],
    }
    with pytest.raises(BadRequest, match="ends early"):
        await read(Request(scope, receive))


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    kind=st.sampled_from([MULTIPART, "application/json", "multipart/form-data; boundary=\"b0undary\""]),
    start=st.sampled_from(
        [b"", b"--b0undary\r\n", b"--b0undary\r\nContent-Disposition: form-data; name=", b'{"image":']
    ),
    body=st.binary(max_size=200),
    end=st.sampled_from([b"", b"\r\n\r\nx\r\n--b0undary--\r\n", b'"}']),
)  # fmt: skip
async def test_random_bodies_raise_nothing_but_our_errors(
    send: Sender, kind: str, start: bytes, body: bytes, end: bytes
) -> None:
    try:
        upload = await read(send(kind, start + body + end)[0])
    except InputError:
        return
    assert upload.files["image"].content


def test_nobody_else_reads_bodies() -> None:
    """Starlette's `request.form()` spools to disk, `.body()` has no bound: the product calls neither."""
    root = Path(__file__).parents[3]
    files = [file for package in ("bentos", "services", "cli") for file in (root / package).rglob("*.py")]
    assert [file.name for file in files if re.search(r"request\.(form|body)\(", file.read_text("utf-8"))] == []
