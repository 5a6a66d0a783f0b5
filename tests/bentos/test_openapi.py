"""The OpenAPI document: structure, every route with its body forms and problems; the schema BentoML's client reads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from cli.vram.service import credentials

pytestmark = pytest.mark.integration

ROUTES = {f"/v1/{name}" for name in ("detect", "analyze", "embed", "verify", "liveness", "deepfake", "demographics")}
OPERATORS = {
    "/v1/models",
    "/v1/admin/vram",
    "/v1/admin/vram/trace",
    "/v1/admin/reload",
    *(f"/v1/admin/models/{{alias}}/{verb}" for verb in ("activate", "rollback", "load", "unload")),
}
IMAGE = {"image/jpeg", "image/png", "image/webp"}


@pytest.fixture(scope="module")
def document(client: httpx.Client) -> dict[str, Any]:
    found: dict[str, Any] = client.get("/docs.json", headers=credentials()).json()
    return found


def nodes(node: Any) -> Iterator[dict[str, Any]]:
    """Every object in the document."""
    if isinstance(node, dict):
        yield node
    for below in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from nodes(below)


def test_has_the_structure_of_openapi(document: dict[str, Any]) -> None:
    """3.1: what is required is there, responses are keyed by status, references lead somewhere, ids are unique."""
    assert document["openapi"].startswith("3.1.")
    assert {"title", "version"} <= document["info"].keys()
    assert all(isinstance(text, str) for text in document["info"].values())
    assert "BentoML" not in str(document["info"])
    for path, item in document["paths"].items():
        assert path.startswith("/")
        for method, operation in item.items():
            assert method in ("get", "post")
            assert operation["responses"]
            for status, response in operation["responses"].items():
                assert status.isdecimal()
                assert response["description"]
            for parameter in operation.get("parameters", ()):
                assert {"name", "in", "schema"} <= parameter.keys()
    schemas = document["components"]["schemas"]
    for node in nodes(document):
        if isinstance(node.get("$ref"), str):
            assert node["$ref"].removeprefix("#/components/schemas/") in schemas
    types = {"string", "number", "integer", "boolean", "object", "array", "null"}
    assert {node["type"] for node in nodes(schemas) if isinstance(node.get("type"), str)} <= types


def test_names_every_inference_route_with_its_bodies(document: dict[str, Any]) -> None:
    operators = {path for path in document["paths"] if path.startswith(("/v1/admin/", "/v1/models"))}
    assert operators == OPERATORS
    assert {path for path in document["paths"] if path.startswith("/v1/")} - operators == ROUTES
    for path in ROUTES:
        content = document["paths"][path]["post"]["requestBody"]["content"]
        images = set() if path == "/v1/verify" else IMAGE
        assert content.keys() == {"multipart/form-data", "application/json"} | images
        files = [name for name in content["application/json"]["schema"]["properties"] if name.startswith("image")]
        for name in files:
            assert content["application/json"]["schema"]["properties"][name]["format"] == "byte"
            assert content["multipart/form-data"]["schema"]["properties"][name]["format"] == "binary"
            assert name in content["multipart/form-data"]["schema"]["required"]
        assert len(files) == (2 if path == "/v1/verify" else 1)


def test_raw_images_take_their_parameters_from_the_query(document: dict[str, Any]) -> None:
    for path in ROUTES - {"/v1/verify"}:
        names = {parameter["name"] for parameter in document["paths"][path]["post"]["parameters"]}
        assert names == {"min_score", "max_faces"} | ({"tasks"} if path == "/v1/analyze" else set())


def test_describes_answers_and_problems(document: dict[str, Any]) -> None:
    for path in ROUTES:
        responses = document["paths"][path]["post"]["responses"]
        assert {"200", "400", "413", "415", "422", "503", "504"} <= responses.keys()
        assert "application/json" in responses["200"]["content"]
        for status, response in responses.items():
            if status != "200":
                schema = response["content"]["application/problem+json"]["schema"]
                assert schema == {"$ref": "#/components/schemas/Problem"}
    for path in ("/livez", "/readyz", "/metrics"):
        assert {"200", "400", "401", "405", "415"} <= document["paths"][path]["get"]["responses"].keys()
    problem = document["components"]["schemas"]["Problem"]
    assert set(problem["required"]) == {"type", "title", "status", "detail", "code", "request_id"}


def test_says_what_may_be_null(document: dict[str, Any]) -> None:
    answer = document["paths"]["/v1/verify"]["post"]["responses"]["200"]["content"]["application/json"]["schema"]
    nullable = {name for name, of in answer["properties"].items() if {"type": "null"} in of.get("anyOf", ())}
    assert nullable == {"similarity", "same", "box_a", "box_b", "live_a", "live_b"}


def test_the_schema_names_what_bentomls_client_calls(client: httpx.Client) -> None:
    routes = {route["route"]: route for route in client.get("/schema.json", headers=credentials()).json()["routes"]}
    assert routes.keys() == ROUTES
    assert routes["/v1/detect"]["input"]["properties"]["image"]["type"] == "file"
