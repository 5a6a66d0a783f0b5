"""What is sent, and what comes of it: the same for both clients."""

from __future__ import annotations

import inspect
import io
import math
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import Message

from facesocial.configuration import LimitSettings
from facesocial_client import (
    Analysis,
    AnalyzedFace,
    AsyncClient,
    Client,
    Detection,
    FileExpected,
    Gender,
    InvalidReply,
    Verification,
)
from services.edge.caching import may_be_kept
from services.edge.forms import AnalyzeForm, VerifyForm
from services.edge.upload import read_upload
from tests.client.conftest import Ask, Scene
from tests.client.replies import ENVELOPE, FACE, PAIR, found, refused
from tests.pictures import plain

pytestmark = pytest.mark.unit

ROUTES = ("detect", "analyze", "embed", "liveness", "deepfake", "demographics")


async def received(sent: httpx.Request, *names: str) -> dict[str, Any]:
    """What the service's own reader makes of a request."""
    messages: list[Message] = [{"type": "http.request", "body": sent.content, "more_body": False}]
    headers = [(name.lower(), value) for name, value in sent.headers.raw]
    scope = {"type": "http", "method": sent.method, "path": sent.url.path, "query_string": sent.url.query}

    async def receive() -> Message:
        return messages.pop()

    upload = await read_upload(Request(scope | {"headers": headers}, receive), names, LimitSettings(), lambda _: None)
    return {**upload.fields, **upload.files}


@pytest.mark.parametrize("route", ROUTES)
def test_each_method_asks_its_route(ask: Ask, scene: Scene, route: str) -> None:
    scene.outcomes = [found(FACE)]
    answer = ask(route, b"picture")
    assert isinstance(answer, Detection if route == "detect" else Analysis)
    assert answer.faces[0].box == (1.0, 2.5, 30.0, 40.0)
    (sent,) = scene.requests
    assert (sent.method, str(sent.url)) == ("POST", f"http://face.test/v1/{route}")
    assert sent.content == b"picture"
    assert sent.headers["user-agent"].startswith("facesocial-client/")
    assert "authorization" not in sent.headers
    assert "x-timeout-ms" not in sent.headers


def test_a_face_has_the_results_that_were_asked_for(ask: Ask, scene: Scene) -> None:
    face = {**FACE, "age": 33, "gender": {"label": "female", "score": 0.8}, "embedding": None, "reason": "small"}
    scene.outcomes = [found(face, reasons={"embed": "small"})]
    (read,) = ask("analyze", b"picture").faces
    assert isinstance(read, AnalyzedFace)
    assert (read.age, read.gender) == (33.0, Gender("female", 0.8))
    assert (read.embedding, read.reason, read.liveness) == (None, "small", None)


async def test_the_service_reads_the_parameters_that_were_given() -> None:
    scene = Scene([found()])
    async with AsyncClient("http://face.test", transport=httpx.MockTransport(scene.answer)) as client:
        await client.analyze(b"picture", tasks=["embed", "mesh"], min_score=0.25, max_faces=3)
        await client.analyze(b"picture", tasks="embed,mesh")
        await client.analyze(b"picture", min_score=None)
    forms = [AnalyzeForm.checked(await received(sent, "image")) for sent in scene.requests]
    assert [form.image.content for form in forms] == [b"picture"] * 3
    assert (forms[0].min_score, forms[0].max_faces) == (0.25, 3)
    assert forms[0].tasks == forms[1].tasks == ("embed", "mesh")
    assert (forms[2].tasks, forms[2].min_score, forms[2].max_faces) == (None, None, None)


async def test_the_service_reads_two_pictures() -> None:
    scene = Scene([httpx.Response(200, json=ENVELOPE | PAIR)])
    async with AsyncClient("http://face.test", transport=httpx.MockTransport(scene.answer)) as client:
        answer = await client.verify(b"one\r\n", plain(), liveness=True)
        await client.verify(b"one", b"other")
    assert isinstance(answer, Verification)
    assert (answer.same, answer.box_a, answer.box_b, answer.live_a) == (True, (1.0, 2.5, 30.0, 40.0), None, None)
    forms = [VerifyForm.checked(await received(sent, "image_a", "image_b")) for sent in scene.requests]
    assert (forms[0].image_a.content, forms[0].image_b.content) == (b"one\r\n", plain())
    assert [form.liveness for form in forms] == [True, False]


@pytest.mark.parametrize("kind", ["bytes", "path", "file"])
def test_a_picture_comes_in_three_ways_and_leaves_without_its_name(
    ask: Ask, scene: Scene, kind: str, tmp_path: Path
) -> None:
    """Read once, though it is sent twice."""
    path = tmp_path / "hunter2.jpg"
    path.write_bytes(b"picture")
    answer = httpx.Response(200, json=ENVELOPE | PAIR | {"faces": []})
    scene.outcomes = [refused(429, "rate_limited", "1"), answer]
    with path.open("rb") as file:
        image = {"bytes": b"picture", "path": path, "file": file}[kind]
        ask("detect", image)
        ask("verify", b"other", io.BytesIO(b"picture") if kind == "file" else image)
    assert [b"picture" in sent.content for sent in scene.requests] == [True] * 3
    for sent in scene.requests:
        assert b"hunter2" not in sent.content + sent.url.raw_path + repr(sent.headers.raw).encode()
        assert b"filename" not in sent.content


@pytest.mark.parametrize("image", ["/tmp/a.jpg", None, io.StringIO("text")])
def test_what_is_no_picture_is_not_sent(ask: Ask, scene: Scene, image: Any) -> None:
    with pytest.raises(TypeError, match="an image is bytes, a Path, or a file"):
        ask("detect", image)
    with pytest.raises(FileNotFoundError):
        ask("detect", Path("/nowhere/a.jpg"))
    assert scene.requests == []


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("option", ["max_face", "liveness"])
def test_an_option_that_does_not_exist(ask: Ask, scene: Scene, route: str, option: str) -> None:
    with pytest.raises(TypeError, match=f"no option {option}; there are fresh, max_faces, min_score, timeout$"):
        ask(route, b"picture", **{option: 1})
    assert scene.requests == []


def test_two_pictures_have_fewer_options(ask: Ask, scene: Scene) -> None:
    with pytest.raises(TypeError, match=r"no option max_faces; there are fresh, timeout$"):
        ask("verify", b"one", b"other", max_faces=1)
    assert scene.requests == []


@pytest.mark.parametrize("arguments", [(route, b"picture") for route in ROUTES] + [("verify", b"one", b"other")])
def test_a_fresh_answer_is_neither_remembered_nor_kept(ask: Ask, scene: Scene, arguments: tuple[Any, ...]) -> None:
    scene.outcomes = [refused(429, "rate_limited", "1"), httpx.Response(200, json=ENVELOPE | PAIR | {"faces": []})]
    ask(*arguments, fresh=True)
    ask(*arguments, fresh=False)
    ask(*arguments)
    kept = [may_be_kept(Headers(dict(sent.headers))) for sent in scene.requests]
    assert kept == [False, False, True, True]


def test_token_and_base_path(ask: Ask, scene: Scene) -> None:
    scene.outcomes = [found()]
    with Client("http://face.test/ai/", "abc.def", transport=httpx.MockTransport(scene.answer)) as client:
        client.detect(b"picture")
        assert "abc.def" not in repr(client._terms)
    ask("detect", b"picture", client={"token": "abc.def"})
    assert [str(sent.url) for sent in scene.requests] == ["http://face.test/ai/v1/detect", "http://face.test/v1/detect"]
    assert [sent.headers["authorization"] for sent in scene.requests] == ["Bearer abc.def"] * 2


@pytest.mark.parametrize(
    "arguments",
    [
        {"url": "localhost:3000"},
        {"url": "ftp://face.test"},
        {"token": "two words"},
        {"token": "line\n"},
        {"token": ""},
        {"timeout": 0},
        {"timeout": math.inf},
        {"timeout": math.nan},
        {"retries": -1},
    ],
)
@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_arguments_that_make_no_sense(kind: type[Client | AsyncClient], arguments: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"^the (URL|token|timeout) ") as caught:
        kind(**{"url": "http://face.test", **arguments})
    assert arguments.get("token") in (None, "") or arguments["token"] not in str(caught.value)


@pytest.mark.parametrize(
    ("argument", "value", "kind"),
    [
        ("url", httpx.URL("http://face.test"), "URL"),
        ("token", b"hunter2", "bytes"),
        ("timeout", "5", "str"),
        ("timeout", None, "NoneType"),
        ("retries", "3", "str"),
        ("retries", 1.5, "float"),
    ],
)
@pytest.mark.parametrize("client", [Client, AsyncClient])
def test_an_argument_of_another_type_is_named(
    client: type[Client | AsyncClient], argument: str, value: Any, kind: str
) -> None:
    with pytest.raises(TypeError, match=f"^{argument} cannot be of type {kind}$"):
        client(**{"url": "http://face.test", argument: value})


def test_an_answer_that_is_none(ask: Ask, scene: Scene) -> None:
    """Of another type, of another program, moved elsewhere: said with where, and under which request id."""
    wrong = {**ENVELOPE, "faces": [FACE, {**FACE, "score": "0.5-hunter2"}]}
    for reply, detail in (
        (httpx.Response(200, json=wrong, headers={"X-Request-Id": "r3"}), r"answer\.faces\[1\]\.score: a number"),
        (httpx.Response(200, json={**ENVELOPE}, headers={"X-Request-Id": "r3"}), r"answer\.faces is missing"),
        (httpx.Response(200, text="<html>", headers={"X-Request-Id": "r3"}), "not an answer to /v1/detect"),
        (httpx.Response(200, text="[" * 10**5, headers={"X-Request-Id": "r3"}), "not an answer to /v1/detect"),
        (httpx.Response(301, headers={"Location": "/", "X-Request-Id": "r3"}), "the answer has status 301"),
    ):
        scene.outcomes = [reply]
        with pytest.raises(InvalidReply, match=detail) as caught:
            ask("detect", b"picture")
        assert (caught.value.request_id, caught.value.status) == ("r3", reply.status_code)
        assert "hunter2" not in str(caught.value)
    assert len(scene.requests) == 5


def test_an_error_carries_what_the_service_said(ask: Ask, scene: Scene) -> None:
    scene.outcomes = [refused(422, "file_expected")]
    with pytest.raises(FileExpected, match=r"^because$") as caught:
        ask("detect", b"")
    error = caught.value
    assert (error.status, error.code, error.detail) == (422, "file_expected", "because")
    assert (error.request_id, error.retry_after) == ("r2", None)


def test_the_clients_are_told_apart_by_await_alone() -> None:
    """Same methods, same parameters, same answers."""

    def methods(kind: type) -> dict[str, inspect.Signature]:
        public = inspect.getmembers(kind, inspect.isfunction)
        return {name: inspect.signature(method) for name, method in public if not name.startswith("_")}

    one, other = methods(Client), methods(AsyncClient)
    assert one.keys() - {"close"} == other.keys() - {"aclose"} == {*ROUTES, "verify"}
    assert {name: one[name] for name in (*ROUTES, "verify")} == {name: other[name] for name in (*ROUTES, "verify")}
