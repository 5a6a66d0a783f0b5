"""The routes of operators: one FastAPI app, mounted beside what BentoML generates.

Until there are users (roles come with them), operators are those on this machine: the connection comes from loopback,
asks for loopback by name (else a page could, whose name was bound anew), through no proxy, and not from a browser.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import Annotated, Final

from fastapi import APIRouter, Depends, FastAPI, Path, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field

from facesocial.errors import FaceSocialError, Forbidden
from services.administration import ModelView, Office, Reloaded, capability_of
from services.edge.problems import problem, problem_of
from services.edge.wrapper import request_id
from services.residency import Load, Look, Order, ProcessReport, Recall, Unload

FOREIGN_HEADERS: Final = ("forwarded", "x-forwarded-for", "origin", "sec-fetch-site")
"""Of a proxy, or of a page: whoever sends one of these is not an operator at this machine."""

Alias = Annotated[str, Path(max_length=64, description="such as `face-detection`")]


class Activation(BaseModel):
    """What an alias is to serve."""

    model_config = ConfigDict(extra="forbid")

    tag: str = Field(min_length=1, max_length=128, description="name and version, as `GET /v1/models` has it")


class Served(BaseModel):
    """What an alias serves now."""

    alias: str
    tag: str


class Models(BaseModel):
    """Installed models."""

    items: tuple[ModelView, ...]
    next: None = None


class Vram(BaseModel):
    """The cards, as the processes that own them see them. Memory in bytes, times in seconds."""

    items: tuple[ProcessReport, ...]
    next: None = None


class ProcessTrace(BaseModel):
    """JSON lines: the models, then [milliseconds, model] for each request."""

    process: str
    trace: str


class Traces(BaseModel):
    """One for each process that owns a card."""

    items: tuple[ProcessTrace, ...]
    next: None = None


def local_operator(request: Request) -> None:
    """Let operators pass.

    Raises:
        Forbidden: this is none.
    """
    peer = request.client.host if request.client else ""
    host = request.headers.get("host", "").rpartition(":")[0].strip("[]")
    here = _is_loopback(peer) and (host == "localhost" or _is_loopback(host))
    if not here or any(name in request.headers for name in FOREIGN_HEADERS):
        raise Forbidden("only for operators on the machine of the service")


def _is_loopback(address: str) -> bool:
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False


OPERATORS: Final = [Depends(local_operator)]


def administration(office: Office) -> FastAPI:
    """The app."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    app.include_router(_models(office))
    app.include_router(_card(office))
    app.add_exception_handler(FaceSocialError, _refuse)
    app.add_exception_handler(RequestValidationError, _explain)
    return app


def _models(office: Office) -> APIRouter:
    router = APIRouter(tags=["models"])

    @router.get("/v1/models")
    async def models() -> Models:
        """What is installed, what serves, and what is resident where."""
        return Models(items=await office.models())

    @router.post("/v1/admin/models/{alias}/activate", dependencies=OPERATORS)
    async def activate(alias: Alias, activation: Activation) -> Served:
        """Let the alias serve another installed model, without a lost request."""
        return Served(alias=alias, tag=(await office.activate(alias, activation.tag)).tag)

    @router.post("/v1/admin/models/{alias}/rollback", dependencies=OPERATORS)
    async def rollback(alias: Alias) -> Served:
        """Let the alias serve what it served before."""
        return Served(alias=alias, tag=(await office.rollback(alias)).tag)

    return router


def _card(office: Office) -> APIRouter:
    router = APIRouter(tags=["card"], dependencies=OPERATORS)

    async def obeyed(order: Order) -> Vram:
        return Vram(items=await office.vram(order))

    @router.get("/v1/admin/vram/trace")
    async def trace() -> Traces:
        """When which model was asked for lately, as `facesocial vram simulate` reads it."""
        reports = await office.vram(Recall())
        return Traces(items=tuple(ProcessTrace(process=one.process, trace=one.trace or "") for one in reports))

    @router.get("/v1/admin/vram", response_model_exclude={"items": {"__all__": {"trace"}}})
    async def vram() -> Vram:
        """Budget, zones, and of each model: state, bytes charged and measured, leases, last use, loads, evictions."""
        return await obeyed(Look())

    @router.post("/v1/admin/models/{alias}/load")
    async def load(alias: Alias) -> Vram:
        """Bring what the alias serves onto the card, whether or not it pays; 409 when it does not fit."""
        return await obeyed(Load(capability_of(alias)))

    @router.post("/v1/admin/models/{alias}/unload")
    async def unload(alias: Alias) -> Vram:
        """Take what the alias serves off the card, when its leases have ended, and keep it off until it is loaded."""
        return await obeyed(Unload(capability_of(alias)))

    @router.post("/v1/admin/reload")
    async def reload() -> Reloaded:
        """Read the configuration again; 422 when it is wrong, and the old one stays."""
        return await office.reload()

    return router


async def _refuse(request: Request, error: Exception) -> Response:
    return problem_of(error, request_id(request))


async def _explain(request: Request, error: Exception) -> Response:
    found = error.errors() if isinstance(error, RequestValidationError) else []
    detail = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in found)
    return problem("validation_error", detail, request_id(request))
