"""What goes over the wire to an inference route, and what a problem must look like when it comes back."""

from __future__ import annotations

import base64
import socket
from typing import Any, Final
from urllib.parse import urlsplit

import httpx

from cli.process import Service

HEAD_SECONDS: Final = 2
"""`server.header_timeout_s` of the services whose callers are slow."""

HEAD: Final = b"POST /double HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
"""Of a request, without its end."""


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


def connect(service: Service) -> socket.socket:
    """A bare connection; what does not come within 20 seconds, on a busy machine, does not come."""
    address = urlsplit(service.url)
    return socket.create_connection((str(address.hostname), address.port), timeout=20)


def closed(connection: socket.socket) -> bool:
    """Whether the server ends it without a word."""
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True
