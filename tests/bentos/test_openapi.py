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
        parameters = document["paths"][path]["post"]["parameters"]
        names = {parameter["name"] for parameter in parameters if parameter["in"] == "query"}
        assert names == {"min_score", "max_faces"} | ({"tasks"} if path == "/v1/analyze" else set())


PAGES = {"/metrics", "/docs.json", "/schema.json"}
ANY = {"200", "400", "405", "415", "500"}
CALLED = ANY | {"413", "422", "429", "503", "504"}
ALIAS = {"401", "404", "409"}


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for operation in item.values():
            yield path, operation


def test_each_route_has_the_answers_it_can_give_and_no_others(document: dict[str, Any]) -> None:
    expected = {
        **dict.fromkeys(ROUTES | {"/v1/models"}, CALLED),
        **{path: CALLED | (ALIAS if "{alias}" in path else {"401"}) for path in OPERATORS - {"/v1/models"}},
        **dict.fromkeys(PAGES, ANY | {"401", "429"}),
        **dict.fromkeys(("/livez", "/healthz"), ANY),
        "/readyz": ANY | {"503"},
    }
    assert {path: set(operation["responses"]) for path, operation in operations(document)} == expected


def test_the_codes_of_an_answer_are_the_routes_own(document: dict[str, Any]) -> None:
    def codes(path: str, method: str, status: str) -> set[str]:
        described: str = document["paths"][path][method]["responses"][status]["description"]
        return {words.partition(":")[0] for words in described.split("; ")}

    assert codes("/v1/detect", "post", "413") == {"payload_too_large", "image_too_large"}
    assert codes("/v1/detect", "post", "503") == {"overloaded", "not_ready", "model_not_installed"}
    pictures = {"file_expected", "image_truncated", "image_dimensions"}
    assert codes("/v1/detect", "post", "422") == pictures | {"validation_error"}
    assert codes("/v1/models", "get", "422") == {"validation_error"}
    assert codes("/v1/models", "get", "503") == {"overloaded"}
    assert codes("/v1/admin/vram", "get", "503") == {"overloaded", "not_ready"}


def test_describes_answers_and_problems(document: dict[str, Any]) -> None:
    for path, operation in operations(document):
        for status, response in operation["responses"].items():
            if status != "200" and (path, status) != ("/readyz", "503"):
                schema = response["content"]["application/problem+json"]["schema"]
                assert schema == {"$ref": "#/components/schemas/Problem"}
    for path in ROUTES:
        assert "application/json" in document["paths"][path]["post"]["responses"]["200"]["content"]
    problem = document["components"]["schemas"]["Problem"]
    assert set(problem["required"]) == {"type", "title", "status", "detail", "code", "request_id"}


def test_says_when_to_come_again(document: dict[str, Any]) -> None:
    rates = {f"RateLimit-{name}" for name in ("Limit", "Remaining", "Reset")}
    for _, operation in operations(document):
        for status, response in operation["responses"].items():
            named = {"429": {"Retry-After"} | rates, "503": {"Retry-After"}}.get(status, set())
            assert response.get("headers", {}).keys() == named


def test_says_who_needs_a_token(document: dict[str, Any]) -> None:
    assert document["components"]["securitySchemes"]["operator"].items() >= {"type": "http", "scheme": "bearer"}.items()
    wants = {path for path, operation in operations(document) if operation.get("security") == [{"operator": []}]}
    assert wants == PAGES | (OPERATORS - {"/v1/models"})
    assert [path for path, operation in operations(document) if "security" in operation and path not in wants] == []


def test_every_call_may_bring_a_deadline(document: dict[str, Any]) -> None:
    for path, operation in operations(document):
        parameters = [one for one in operation.get("parameters", ()) if one["in"] == "header"]
        if path.startswith("/v1/"):
            (deadline,) = parameters
            assert (deadline["name"], deadline["required"]) == ("X-Timeout-Ms", False)
            assert deadline["schema"] == {"type": "integer", "minimum": 1, "maximum": 600_000}
        else:
            assert parameters == []


def test_says_what_may_be_null(document: dict[str, Any]) -> None:
    answer = document["paths"]["/v1/verify"]["post"]["responses"]["200"]["content"]["application/json"]["schema"]
    nullable = {name for name, of in answer["properties"].items() if {"type": "null"} in of.get("anyOf", ())}
    assert nullable == {"similarity", "same", "box_a", "box_b", "live_a", "live_b"}


def test_the_schema_names_what_bentomls_client_calls(client: httpx.Client) -> None:
    routes = {route["route"]: route for route in client.get("/schema.json", headers=credentials()).json()["routes"]}
    assert routes.keys() == ROUTES
    assert routes["/v1/detect"]["input"]["properties"]["image"]["type"] == "file"
