"""What we change about BentoML's server, in one place. Imported by the entry module, so it holds in every process."""

from __future__ import annotations

import logging
import os
import socket
import stat
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import structlog
from _bentoml_sdk import Service
from bentoml._internal.server.http.instruments import RunnerTrafficMetricsMiddleware
from bentoml._internal.server.http.traffic import TimeoutMiddleware
from bentoml._internal.utils.circus import Arbiter
from circus.arbiter import Arbiter as Circus
from circus.watcher import Watcher
from starlette.types import ASGIApp
from uvicorn import Config

from bentos.metrics import count, forget
from bentos.openapi import describe
from bentos.protocol import uvicorn_options
from facesocial.configuration import LoggingSettings, ServerSettings
from facesocial.errors import ConfigurationError
from facesocial.relay import relayed
from services.edge.attendance import Attendance
from services.edge.pickles import WithoutPickles
from services.edge.routes import Routes, paths_of
from services.edge.wrapper import Admit, Edge, everybody, nothing, probes
from services.readiness import State

log = structlog.get_logger(__name__)

REPLACED: Final = (TimeoutMiddleware, RunnerTrafficMetricsMiddleware)
"""Of BentoML's: its timer outlives its request, 730 bytes each, for all of `traffic.timeout`. See `count`, too."""


def serve_behind_edge(
    state: Callable[[], Awaitable[State]], admit: Admit = everybody, origins: Sequence[str] = ()
) -> None:
    """Wrap the application of every service in this process with our edge, outside BentoML's own middleware."""
    to_asgi = Service.to_asgi

    def behind_edge(self: Service[Any], is_main: bool = True) -> ASGIApp:
        app = to_asgi(self, is_main=is_main)
        replaced = REPLACED if is_main else (TimeoutMiddleware,)
        app.user_middleware = [entry for entry in app.user_middleware if entry.cls not in replaced]
        guarded = WithoutPickles(Attendance(app))
        app.router.redirect_slashes = False  # `/metrics/` is nothing; a redirect would name the caller's Host
        # BentoML's start page loads a tracker from Google.
        pages = {**probes(state), "/docs.json": describe(self), "/": nothing}
        if not is_main:
            return guarded
        return Edge(guarded, pages, admit, origins, Routes([*paths_of(app.routes), *pages]), count)

    Service.to_asgi = behind_edge


def harden_protocol(server: ServerSettings) -> None:
    """Give uvicorn our settings: BentoML's worker builds the `Config` itself and leaves no room for most of them.

    Raises:
        ConfigurationError: a file of `server.tls` cannot be used; said here, the parent does not start.
    """
    options = {public: uvicorn_options(server, public) for public in (True, False)}
    initialize = Config.__init__

    def configured(self: Config, app: ASGIApp, **given: Any) -> None:
        initialize(self, app, **{**given, **options[isinstance(app, Edge)]})

    Config.__init__ = configured  # type: ignore[method-assign,assignment]
    if server.tls:
        logging.getLogger("bentoml.serve").addFilter(_say_https)


def _say_https(record: logging.LogRecord) -> bool:
    """BentoML does not know of our TLS, and would tell that it listens on http."""
    if isinstance(record.args, tuple):
        record.args = tuple({"http": "https", "HTTP": "HTTPS"}.get(str(word), word) for word in record.args)
    return True


def confine_supervisor(folder: Path) -> None:
    """Keep what our processes share in a folder of ours: circus's control sockets, and the metrics.

    BentoML opens the sockets on loopback TCP, where any user may start programs as us, and shares metrics through files
    that all may read, in a folder that the next service on the same model store empties.

    The supervisor also looks after its children every second instead of every ten, and starts one that died again in a
    container, too, where BentoML would end them all.

    Raises:
        ConfigurationError: others may look into `folder`, or it is not ours.
    """
    found = folder.stat()
    if stat.S_IMODE(found.st_mode) != 0o700 or found.st_uid != os.getuid():
        raise ConfigurationError(f"{folder} must belong to the user of the service and have mode 0700")
    initialize = Arbiter.__init__
    sockets = {name: f"ipc://{folder / name}" for name in ("endpoint", "pubsub_endpoint")}
    metrics = folder / "prometheus_multiproc_dir"

    def confined(self: Arbiter, watchers: list[Watcher], **options: Any) -> None:
        metrics.mkdir(exist_ok=True)
        for watcher in watchers:
            watcher.respawn = True
            watcher.env = {**(watcher.env or {}), "PROMETHEUS_MULTIPROC_DIR": str(metrics)}
            watcher.reap_process = partial(_reap, watcher.reap_process, metrics)
        initialize(self, watchers, **{**options, **sockets, "check_delay": 1})

    Arbiter.__init__ = confined  # type: ignore[method-assign]


def _reap(reap: Callable[..., None], metrics: Path, pid: int, *status: Any) -> None:
    reap(pid, *status)
    forget(metrics, pid)


def keep_inner_services_to_the_end() -> None:
    """Stop the edge first: what it still answers may need those behind it, and their sockets.

    BentoML removes the sockets' folder when it is told to stop, and then ends every process at the same time. The
    public port it leaves open to the end, though nobody listens any more; we close it first.
    """
    start = Arbiter.start

    def start_and_clean_up(self: Arbiter, cb: Callable[[Any], Any] | None = None) -> None:
        with self.exit_stack:  # holds the removal of the folder
            start(self, cb)

    async def stop_in_order(self: Arbiter, close_output_streams: bool = False, *_: Any, **__: Any) -> None:
        for port in self.sockets.values():
            if not port.is_unix:  # every child has inherited it: who called now would wait for an answer in vain
                port.shutdown(socket.SHUT_RDWR)
        *inner, edge = self.watchers  # BentoML adds the edge last
        log.info("stopping: what is under way is answered", seconds=edge.graceful_timeout)
        for watcher in (edge, *inner):
            await watcher._stop(close_output_streams)  # noqa: SLF001 — `stop` wants the lock that our caller holds

    Arbiter.start = start_and_clean_up  # type: ignore[method-assign]
    Arbiter.stop = Circus.stop  # type: ignore[method-assign]
    Arbiter._stop_watchers = stop_in_order  # noqa: SLF001


def relay_output(settings: LoggingSettings) -> None:
    """Have what the supervisor and its children write past the loggers come out as log lines, where those are JSON.

    Native libraries and `print` know no other way; a child's last words come out, too, for the supervisor reads on.
    """
    start = Arbiter.start

    def start_relayed(self: Arbiter, cb: Callable[[Any], Any] | None = None) -> None:
        with relayed():
            start(self, cb)

    if settings.format == "json":
        Arbiter.start = start_relayed  # type: ignore[method-assign]
