"""The OpenAPI document: BentoML's, made true about uploads and errors."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from functools import cache
from typing import Any, Final

from _bentoml_sdk import Service
from pydantic import BaseModel
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

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

DOOR: Final = frozenset({400, 401, 405, 415})
"""What the edge alone answers, on every path."""


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
    document["paths"]["/readyz"]["get"]["responses"]["503"] = {"description": "not ready; the body says why"}
    for path, item in document["paths"].items():
        for operation in item.values():
            if not path.startswith("/v1/"):
                operation["responses"] |= _problems(DOOR)
                continue
            ok = operation["responses"].get(200) or operation["responses"]["200"]
            operation["responses"] = {"200": ok} | _problems(set(STATUS.values()))
            if "multipart/form-data" in operation.get("requestBody", {}).get("content", {}):
                _complete_upload(operation)
    for path, kind in answers.items():
        schema = kind.model_json_schema(ref_template="#/components/schemas/{model}")
        document["components"]["schemas"] |= schema.pop("$defs", {})
        document["paths"][path]["post"]["responses"]["200"]["content"] = {"application/json": {"schema": schema}}
    return document


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
            {"name": name, "in": "query", "required": False, "schema": schema, "description": "for an image body"}
            for name, schema in properties.items()
            if name != "image"
        ]
    operation["requestBody"] = {"required": True, "content": content}


def _problems(statuses: AbstractSet[int]) -> dict[str, Any]:
    answers: dict[str, Any] = {}
    for status in sorted(statuses):
        codes = [code for code, of in STATUS.items() if of == status]
        answers[str(status)] = {
            "description": "; ".join(f"{code}: {TITLES[code]}" for code in codes),
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
    return answers


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
