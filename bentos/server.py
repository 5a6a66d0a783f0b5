"""What we change about BentoML's server, in one place."""

from __future__ import annotations

from typing import Any

from _bentoml_sdk import Service
from starlette.types import ASGIApp

from bentos.openapi import describe
from services.edge.wrapper import Edge, nothing, probes
from services.readiness import Readiness


def serve_behind_edge(readiness: Readiness) -> None:
    """Wrap the application of every service in this process with our edge, outside BentoML's own middleware."""
    to_asgi = Service.to_asgi

    def behind_edge(self: Service[Any], is_main: bool = True) -> ASGIApp:
        app = to_asgi(self, is_main=is_main)
        # BentoML's start page loads a tracker from Google.
        pages = {**probes(readiness), "/docs.json": describe(self), "/": nothing}
        return Edge(app, pages) if is_main else app

    Service.to_asgi = behind_edge
