"""A pickle is refused before it is opened, in whatever form its type is written."""

from __future__ import annotations

import pickle
from collections.abc import AsyncIterator
from pathlib import Path

import bentoml
import httpx
import pytest
from _bentoml_impl.server.app import ServiceAppFactory
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.edge.pickles import PICKLE, WithoutPickles
from tests.canary import Canary

pytestmark = pytest.mark.unit


@pytest.fixture
async def inner() -> AsyncIterator[ASGIApp]:
    """An inner service as BentoML makes it."""

    class Doubling:
        @bentoml.api
        def double(self, number: int) -> int:
            return 2 * number

    service = bentoml.service(Doubling)
    service.inject_config()
    app = ServiceAppFactory(service, is_main=False, enable_metrics=False)()
    async with app.router.lifespan_context(app):
        yield app


async def post(app: ASGIApp, body: bytes, *content_types: str) -> httpx.Response:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://inner") as client:
        headers = [("Content-Type", content_type) for content_type in content_types]
        return await client.post("/double", content=body, headers=headers)


@pytest.mark.parametrize(
    "content_types",
    [
        [PICKLE],
        [PICKLE.upper()],
        [f"{PICKLE};x=y"],
        [f" {PICKLE} ; x=y"],
        ["application/json", PICKLE],
        [PICKLE, "application/json"],
    ],
)
async def test_s1_a_pickle_is_refused(inner: ASGIApp, tmp_path: Path, content_types: list[str]) -> None:
    body = pickle.dumps({"number": Canary(tmp_path / "canary")})
    response = await post(WithoutPickles(inner), body, *content_types)
    assert (response.status_code, response.headers["connection"]) == (415, "close")
    assert not (tmp_path / "canary").exists()


async def test_s1_bentoml_alone_opens_it(inner: ASGIApp, tmp_path: Path) -> None:
    """The control: the canary of these tests sings."""
    await post(inner, pickle.dumps({"number": Canary(tmp_path / "canary")}), PICKLE)
    assert (tmp_path / "canary").exists()


@pytest.mark.filterwarnings("ignore:Accessing the 'model_fields':DeprecationWarning")  # BentoML does
async def test_everything_else_passes(inner: ASGIApp) -> None:
    for content_types in (["application/json"], []):
        assert (await post(WithoutPickles(inner), b'{"number": 4}', *content_types)).text == "8"


async def test_other_protocols_pass_untouched() -> None:
    seen = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["type"])

    async def unused() -> Message:
        raise AssertionError

    async def ignore(message: Message) -> None:
        raise AssertionError

    for kind in ("lifespan", "websocket"):
        await WithoutPickles(app)({"type": kind, "headers": [(b"content-type", PICKLE.encode())]}, unused, ignore)
    assert seen == ["lifespan", "websocket"]
