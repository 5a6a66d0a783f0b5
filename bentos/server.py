"""What we change about BentoML's server, in one place. Imported by the entry module, so it holds in every process."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from _bentoml_sdk import Service
from bentoml._internal.utils.circus import Arbiter
from starlette.types import ASGIApp

from bentos.openapi import describe
from services.edge.wrapper import Edge, nothing, probes
from services.readiness import State


def serve_behind_edge(state: Callable[[], Awaitable[State]]) -> None:
    """Wrap the application of every service in this process with our edge, outside BentoML's own middleware."""
    to_asgi = Service.to_asgi

    def behind_edge(self: Service[Any], is_main: bool = True) -> ASGIApp:
        app = to_asgi(self, is_main=is_main)
        # BentoML's start page loads a tracker from Google.
        pages = {**probes(state), "/docs.json": describe(self), "/": nothing}
        return Edge(app, pages) if is_main else app

    Service.to_asgi = behind_edge


def hide_supervisor() -> None:
    """Move circus's control sockets from loopback TCP, where any user may start programs as us, to a folder of ours.

    The supervisor also looks after its children every second instead of every ten.
    """
    initialize = Arbiter.__init__

    def hidden(self: Arbiter, *arguments: Any, **options: Any) -> None:
        folder = tempfile.mkdtemp(prefix="facesocial-")  # mode 0700
        sockets = {name: f"ipc://{Path(folder, name)}" for name in ("endpoint", "pubsub_endpoint")}
        initialize(self, *arguments, **{**options, **sockets, "check_delay": 1})
        self.exit_stack.callback(shutil.rmtree, folder, ignore_errors=True)

    Arbiter.__init__ = hidden  # type: ignore[method-assign]
