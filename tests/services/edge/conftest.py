"""A request without a server, that counts what is read of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import pytest
from starlette.requests import Request
from starlette.types import Message


class Wire:
    """Delivers a body in pieces; `read` counts the bytes taken."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces: Iterator[bytes] = iter(pieces)
        self.read = 0

    async def receive(self) -> Message:
        """The next piece, then the end."""
        piece = next(self._pieces, None)
        if piece is None:
            return {"type": "http.request", "body": b"", "more_body": False}
        self.read += len(piece)
        return {"type": "http.request", "body": piece, "more_body": True}


Sender = Callable[..., tuple[Request, Wire]]


@pytest.fixture
def send() -> Sender:
    """`send(content_type, body or pieces, query="", **headers)` → the request and its wire."""

    def make(content_type: str, body: bytes | Iterable[bytes], query: str = "", **headers: str) -> tuple[Request, Wire]:
        named = {"content-type": content_type, **{name.replace("_", "-"): value for name, value in headers.items()}}
        raw = [(name.encode(), value.encode("latin-1")) for name, value in named.items()]
        wire = Wire([body] if isinstance(body, bytes) else body)
        scope = {"type": "http", "method": "POST", "path": "/", "query_string": query.encode(), "headers": raw}
        return Request(scope, wire.receive), wire

    return make
