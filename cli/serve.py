"""`facesocial serve`."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path
from typing import Annotated

import typer

from facesocial.configuration import FILE_VARIABLE, find_file, load_configuration
from facesocial.errors import ConfigurationError

SOURCE = Path(__file__).parent.parent
TARGET = "bentos.service:FaceSocial"


def serve(
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="default: server.port")] = None,
    host: Annotated[str | None, typer.Option(help="default: server.host")] = None,
    bento: Annotated[str | None, typer.Option(help="tag of a built bento; default: this source tree")] = None,
) -> None:
    """Serve the HTTP API until interrupted."""
    from models.library import Library
    from models.store import home
    from vram_policy.choice import choose
    from vram_policy.device import cards

    configuration = load_configuration()
    server = configuration.server
    _check_home(home())
    Library.open(configuration.models.starter).check(configuration.models.required)
    choose(configuration.vram.gpu, cards(), os.environ.get("CUDA_VISIBLE_DEVICES"))  # says so in one line
    _check_free(host or server.host, port or server.port)
    os.execvpe(  # noqa: S606 — our own command, no shell wanted
        sys.executable, command(host or server.host, port or server.port, bento), environment()
    )


def _check_home(folder: Path) -> None:
    """BentoML wants to write into it when it starts, and is at a loss for words where it cannot.

    Raises:
        ConfigurationError: it cannot be written.
    """
    try:
        for name in ("bentos", "models"):
            (folder / name).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(f"{folder} cannot be written ({error.strerror}); BENTOML_HOME names it") from error


def _check_free(host: str, port: int) -> None:
    """Say so before BentoML does, at length.

    Raises:
        ConfigurationError: nobody can listen there.
    """
    try:
        socket.create_server((host, port)).close()
    except OSError as error:
        raise ConfigurationError(f"cannot listen on {host}:{port}: {error.strerror}") from error


def command(host: str, port: int, bento: str | None = None) -> list[str]:
    """The `bentoml serve` that serves a built bento by its tag, or this source tree."""
    what = [bento] if bento else [TARGET, "--working-dir", str(SOURCE)]
    return [sys.executable, "-m", "bentoml", "serve", *what, "--host", host, "--port", str(port)]


def environment() -> dict[str, str]:
    """The environment it needs: the configuration file by its full path, no usage reports sent anywhere."""
    file = find_file()
    named = {FILE_VARIABLE: str(file.resolve())} if file else {}
    return {**os.environ, "BENTOML_DO_NOT_TRACK": "True", **named}
