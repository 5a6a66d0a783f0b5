"""What goes over the wire to an inference route, and what a problem must look like when it comes back."""

from __future__ import annotations

import base64
from typing import Any, Final

import httpx

HEAD_SECONDS: Final = 2
"""`server.header_timeout_s` of the services whose callers are slow."""


def send(client: httpx.Client, route: str, body: str, image: bytes, **fields: Any) -> httpx.Response:
    """A picture in one of the three forms."""
    if body == "multipart":
        return client.post(route, files={"image": ("a", image)}, data={k: str(v) for k, v in fields.items()})
    if body == "raw":
        return client.post(route, content=image, headers={"Content-Type": "image/*"}, params=fields)
    return client.post(route, json={"image": base64.b64encode(image).decode(), **fields})


def code(response: httpx.Response) -> str:
    """Of a problem whose form is checked on the way."""
    problem = response.json()
    assert response.headers["content-type"] == "application/problem+json"
    assert problem.keys() == {"type", "title", "status", "detail", "code", "request_id"}
    assert problem["status"] == response.status_code
    assert problem["request_id"] == response.headers["x-request-id"]
    return str(problem["code"])
