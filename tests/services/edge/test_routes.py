"""A path is called by its route; what no route answers has one name."""

from __future__ import annotations

import pytest
from fastapi import APIRouter, FastAPI
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Mount, Route, WebSocketRoute

from services.edge.routes import OTHER, Routes, paths_of

pytestmark = pytest.mark.unit


def nothing() -> Response:
    """An endpoint."""
    return Response()


def test_the_routes_of_an_application_and_of_those_mounted_in_it() -> None:
    mounted = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    router = APIRouter()
    router.get("/v1/models/{alias}", response_model=None)(nothing)
    mounted.include_router(router)
    plain = Starlette(routes=[Route("/c", nothing)])
    app = Starlette(
        routes=[
            Route("/a", nothing),
            WebSocketRoute("/s", nothing),
            Mount("/b", mounted),
            Mount("/", mounted),
            Mount("/b", plain),
        ]
    )
    assert list(paths_of(app.routes)) == ["/a", "/s", "/b/v1/models/{alias}", "/v1/models/{alias}", "/b/c"]


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/v1/detect", "/v1/detect"),
        ("/v1/admin/models/anna-smith/load", "/v1/admin/models/{alias}/load"),
        ("/v1/admin/models/{alias}/load", "/v1/admin/models/{alias}/load"),
        ("/v1/detect/", OTHER),
        ("/v1/admin/models/a/b/load", OTHER),
        ("/anna-smith.jpg", OTHER),
        ("", OTHER),
    ],
)
def test_nobodys_words_are_in_a_name(path: str, name: str) -> None:
    assert Routes(["/v1/detect", "/v1/admin/models/{alias}/load"]).name(path) == name
