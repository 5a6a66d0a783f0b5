"""A service that tells everything it was sent, in every way there is: what its log must not show."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import threading
import warnings
from pathlib import Path
from typing import Any

import bentoml
import structlog
from starlette.requests import Request

from bentos.server import (
    confine_supervisor,
    harden_protocol,
    keep_inner_services_to_the_end,
    relay_output,
    serve_behind_edge,
)
from facesocial.configuration import load_configuration
from facesocial.logging import configure_logging
from services.edge.forms import FormReader, ImageForm
from services.readiness import State

configuration = load_configuration()
configure_logging(configuration.logging)


@bentoml.service
class Leak:
    """Fails on every request."""

    @bentoml.api(route="/v1/tell", input_spec=ImageForm)
    async def tell(self, form: FormReader[ImageForm]) -> str:
        """Tell all of it."""
        request = form.request
        known = await everything(request)
        match request.query_params["way"]:
            case "structlog":
                structlog.get_logger("leak").error(f"all: {known}", **known, all=list(known.items()))
            case "logging":
                logging.getLogger("theirs").error("%s of %s", known, list(known.values()))
                logging.getLogger("uvicorn.access").error(f"GET {request.url}")  # noqa: G004
            case "warnings":
                warnings.warn(f"{known}", stacklevel=1)
            case "print":
                print(known, flush=True)  # noqa: T201
                print(*known.values(), sep="\n", file=sys.stderr, flush=True)  # noqa: T201
            case "native":
                os.write(2, b"libpng: " + str(known).encode() + b"\n")
            case "thread":
                threading.Thread(target=fail, args=(known,), name=known["name"]).start()
            case "task":
                await asyncio.wait([asyncio.create_task(asyncio.to_thread(fail, known))])
            case "edge":
                structlog.get_logger("leak").error("unhandled", exc_info=ValueError(known), name=known["name"])
        fail(known)
        return "never"


async def everything(request: Request) -> dict[str, Any]:
    """What was sent."""
    async with request.form() as form:
        file: Any = form["image"]
        body = await file.read()
        return {
            "bytes": body,
            "shown": repr(body),
            "pixels": list(body),
            "name": file.filename,
            "header": request.headers["authorization"],
            "url": str(request.url),
        }


def fail(known: dict[str, Any]) -> None:
    """An exception that tells all."""
    raise ValueError(known, str(known))


async def ready() -> State:
    """Always."""
    return State(ready=True)


serve_behind_edge(ready)
harden_protocol(configuration.server)
confine_supervisor(Path(os.environ["FACESOCIAL_RUNTIME"]))
keep_inner_services_to_the_end()
relay_output(configuration.logging)
