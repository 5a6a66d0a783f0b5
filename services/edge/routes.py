"""What a path is called where nobody's words may stand: by the route that answers it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from fastapi import FastAPI
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute, compile_path

OTHER: Final = "other"
"""Every path that no route answers."""


class Routes:
    """Args:
    paths: of the routes, with their parameters: `/v1/admin/models/{alias}/load`.
    """

    def __init__(self, paths: Iterable[str]) -> None:
        known = dict.fromkeys(paths)
        self._fixed = frozenset(path for path in known if "{" not in path)
        self._patterns = [(compile_path(path)[0], path) for path in known if "{" in path]

    def name(self, path: str) -> str:
        """The route of a path as it was asked for; `OTHER` when there is none."""
        if path in self._fixed:
            return path
        return next((route for pattern, route in self._patterns if pattern.match(path)), OTHER)


NONE: Final = Routes(())
"""Every path is another."""


def paths_of(routes: Sequence[BaseRoute], prefix: str = "") -> Iterator[str]:
    """Of an application and those mounted in it. FastAPI keeps its own to itself, but describes them."""
    for route in routes:
        if isinstance(route, Mount) and isinstance(route.app, FastAPI):
            yield from (f"{prefix}{route.path}{path}" for path in route.app.openapi()["paths"])
        elif isinstance(route, Mount):
            yield from paths_of(route.routes, prefix + route.path)
        elif isinstance(route, Route | WebSocketRoute):
            yield prefix + route.path
