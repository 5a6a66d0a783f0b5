"""The OpenAPI document: BentoML's, made true about uploads, errors, and who may ask."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any, Final

from _bentoml_sdk import Service
from pydantic import BaseModel
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from services.edge.door import NAMED
from services.edge.problems import MEDIA_TYPE, STATUS, TITLES
from services.edge.wrapper import get_only

PROBLEM: dict[str, Any] = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "code", "request_id"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string", "enum": sorted(STATUS)},
        "request_id": {"type": "string"},
    },
}

SCHEME: Final = {
    "type": "http",
    "scheme": "bearer",
    "description": "the token of the service, which operators have",
}

DEADLINE: Final = {
    "name": "X-Timeout-Ms",
    "in": "header",
    "required": False,
    "schema": {"type": "integer", "minimum": 1, "maximum": 600_000},
    "description": "milliseconds after which the answer may be 504; it only shortens the deadline of the service",
}

HEADERS: Final[dict[int, dict[str, str]]] = {
    429: {
        "Retry-After": "seconds until there is room for one more",
        "RateLimit-Limit": "requests a minute",
        "RateLimit-Remaining": "how many of them are left",
        "RateLimit-Reset": "seconds until there are more",
    },
    503: {"Retry-After": "seconds after which it is worth trying again; absent where waiting does not help"},
}
"""Whole numbers, of the answers with a status."""

PAGES: Final = {"/docs.json": "this document", "/schema.json": "what BentoML's client reads"}
"""That BentoML's description leaves out."""

EVERYWHERE: Final = ("bad_request", "method_not_allowed", "unsupported_media_type", "internal")
"""Codes of the errors that any path may answer."""

CALLED: Final = ("payload_too_large", "validation_error", "overloaded", "deadline_exceeded")
"""And below /v1/, GET too: a body can come, and a deadline that is none."""

PICTURE: Final = ("file_expected", "image_too_large", "image_truncated", "image_dimensions")
MODEL: Final = ("not_ready", "model_not_installed")
ALIAS: Final = ("not_found", "conflict")

ORDERS: Final[dict[str, tuple[str, ...]]] = {
    "/v1/models": (),
    "/v1/admin/reload": ("not_ready",),
    "/v1/admin/vram": ("not_ready",),
    "/v1/admin/vram/trace": ("not_ready",),
    "/v1/admin/models/{alias}/activate": ALIAS,
    "/v1/admin/models/{alias}/rollback": ALIAS,
    "/v1/admin/models/{alias}/load": (*ALIAS, *MODEL),
    "/v1/admin/models/{alias}/unload": (*ALIAS, *MODEL),
}
"""And there where no picture is sent."""


def describe(service: Service[Any]) -> ASGIApp:
    """The page that serves the document, made on first request."""

    @cache
    def document() -> dict[str, Any]:
        answers = {api.route: api.output_spec for api in service.apis.values()}
        return complete(service.openapi_spec.asdict(), answers)

    async def page(scope: Scope, receive: Receive, send: Send) -> None:
        await get_only(scope, JSONResponse(document()))(scope, receive, send)

    return page


def complete(document: dict[str, Any], answers: Mapping[str, type[BaseModel]]) -> dict[str, Any]:
    """Add our error answers and the raw-body form; describe files as OpenAPI does, not as BentoML's client does.

    `answers`: what each inference route gives; BentoML's description knows no null.
    """
    document = _mended(document)
    version = document["info"]["version"]
    document["openapi"] = "3.1.0"  # what pydantic's schemas are: BentoML says 3.0, which has no type "null"
    document["info"] = {
        "title": "FaceSocial",
        "version": "dev" if version == "None" else version,
        "description": "Faces in a picture: where, who, live, genuine, how old.",
    }
    document["components"]["schemas"]["Problem"] = PROBLEM
    document["components"]["securitySchemes"] = {"operator": SCHEME}
    paths = document["paths"]
    not_ready = {"description": "not ready; the body says why", "headers": _headers(503)}
    paths["/readyz"]["get"]["responses"]["503"] = not_ready
    paths |= {path: {"get": _page(says)} for path, says in PAGES.items()}
    for path, item in paths.items():
        for operation in item.values():
            _complete(path, operation)
    for path, kind in answers.items():
        schema = kind.model_json_schema(ref_template="#/components/schemas/{model}")
        document["components"]["schemas"] |= schema.pop("$defs", {})
        document["paths"][path]["post"]["responses"]["200"]["content"] = {"application/json": {"schema": schema}}
    return document


def _complete(path: str, operation: dict[str, Any]) -> None:
    """Who may ask, within which time, and what else than 200 may come of it."""
    responses = {str(status): answer for status, answer in operation["responses"].items()}
    if _wants_token(path):
        operation["security"] = [{"operator": []}]
    if path.startswith("/v1/"):
        responses = {"200": responses["200"]}
        if "multipart/form-data" in operation.get("requestBody", {}).get("content", {}):
            _complete_upload(operation)
        operation["parameters"] = [*operation.get("parameters", ()), DEADLINE]
    operation["responses"] = responses | _problems(_codes(path))


def _wants_token(path: str) -> bool:
    return path in NAMED or path.startswith("/v1/admin/")


def _codes(path: str) -> Iterator[str]:
    """Of the errors that may come of a request to a path."""
    yield from EVERYWHERE
    if _wants_token(path):
        yield "unauthenticated"
    if path in NAMED or path.startswith("/v1/"):
        yield "rate_limited"
    if path.startswith("/v1/"):
        yield from CALLED
        yield from ORDERS.get(path, (*PICTURE, *MODEL))


def _page(says: str) -> dict[str, Any]:
    content = {"application/json": {"schema": {"type": "object"}}}
    return {"description": says, "responses": {"200": {"description": says, "content": content}}}


def _complete_upload(operation: dict[str, Any]) -> None:
    """Every form in which a picture may come."""
    multipart = operation["requestBody"]["content"]["multipart/form-data"]
    properties = multipart["schema"]["properties"]
    content = {"multipart/form-data": {"schema": multipart["schema"]}}
    content["application/json"] = {"schema": _as_json(multipart["schema"])}
    if "image" in properties:
        binary = {"schema": {"type": "string", "format": "binary"}}
        content |= {f"image/{kind}": binary for kind in ("jpeg", "png", "webp")}
    operation["parameters"] = [
        {"name": name, "in": "query", "required": False, "schema": schema, "description": "here or in the form"}
        for name, schema in properties.items()
        if schema.get("format") != "binary"
    ]
    operation["requestBody"] = {"required": True, "content": content}


def _problems(codes: Iterable[str]) -> dict[str, Any]:
    """The answers of these errors, by status."""
    by_status: dict[int, list[str]] = {}
    for code in codes:
        by_status.setdefault(STATUS[code], []).append(code)
    return {
        str(status): {
            "description": "; ".join(f"{code}: {TITLES[code]}" for code in sorted(here)),
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
            **({"headers": _headers(status)} if status in HEADERS else {}),
        }
        for status, here in sorted(by_status.items())
    }


def _headers(status: int) -> dict[str, Any]:
    return {name: {"description": says, "schema": {"type": "integer"}} for name, says in HEADERS[status].items()}


def _mended(node: Any) -> Any:
    """Files as OpenAPI describes them; no `default: null` beside a type that null is not of."""
    if isinstance(node, dict):
        if node.get("type") == "file":
            return {"type": "string", "format": "binary"}
        return {key: _mended(value) for key, value in node.items() if (key, value) != ("default", None)}
    return [_mended(value) for value in node] if isinstance(node, list) else node


def _as_json(schema: dict[str, Any]) -> dict[str, Any]:
    properties = {
        name: {"type": "string", "format": "byte"} if value.get("format") == "binary" else value
        for name, value in schema["properties"].items()
    }
    return {**schema, "properties": properties}
