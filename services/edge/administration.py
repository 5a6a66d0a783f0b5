"""The routes of operators: one FastAPI app, mounted beside what BentoML generates.

Until there are users (roles come with them), an operator is who knows the token in the model store's folder. Where a
connection comes from proves nothing: a proxy on the same machine need not say that it is one.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, FastAPI, Path, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field

from facesocial.configuration import Configuration
from facesocial.errors import FaceSocialError, Unauthenticated
from services.administration import ModelView, Office, Reloaded, capability_of
from services.edge.brief import Brief
from services.edge.intake import Intake
from services.edge.problems import in_words, problem, problem_of
from services.edge.reply import request_id
from services.operators import is_operator
from services.residency import Load, Look, Order, Recall, Unload
from vram_policy.report import CardReport

Alias = Annotated[str, Path(max_length=64, description="such as `face-detection`")]


class Activation(BaseModel):
    """What an alias is to serve."""

    model_config = ConfigDict(extra="forbid")

    tag: str = Field(
        pattern=r"^[a-z0-9_.-]+:[a-z0-9]+$", max_length=128, description="name and version, as `GET /v1/models` has it"
    )


class Served(BaseModel):
    """What an alias serves now."""

    alias: str
    tag: str


class Models(BaseModel):
    """Installed models."""

    items: tuple[ModelView, ...]
    next: None = None


class ProcessCards(BaseModel):
    """One process and the cards it owns."""

    process: str
    cards: tuple[CardReport, ...]


class Vram(BaseModel):
    """The cards, as the processes that own them see them. Memory in bytes, times in seconds."""

    items: tuple[ProcessCards, ...]
    next: None = None


class ProcessTrace(BaseModel):
    """JSON lines: the models, then [milliseconds, model] for each request."""

    process: str
    trace: str


class Traces(BaseModel):
    """One for each process that owns a card."""

    items: tuple[ProcessTrace, ...]
    next: None = None


def administration(office: Office, configuration: Configuration, intake: Intake) -> FastAPI:
    """The app, which reads no more of a request than it should."""

    def operator(request: Request) -> None:
        if not is_operator(request.headers.get("authorization", ""), office.token):
            raise Unauthenticated("for operators: send the token of this service as bearer")

    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    app.include_router(_models(office))
    app.include_router(_operators(office), dependencies=[Depends(operator)])
    app.add_exception_handler(FaceSocialError, _refuse)
    app.add_exception_handler(RequestValidationError, _explain)
    app.add_middleware(Brief, configuration=configuration, intake=intake)  # not around it: BentoML asks for its routes
    return app


def _models(office: Office) -> APIRouter:
    router = APIRouter(tags=["models"])

    @router.get("/v1/models")
    async def models() -> Models:
        """What is installed, what serves, and what is resident where."""
        return Models(items=await office.models())

    return router


def _operators(office: Office) -> APIRouter:
    router = APIRouter(tags=["operators"])

    async def obeyed(order: Order) -> Vram:
        reports = await office.vram(order)
        return Vram(items=tuple(ProcessCards(process=one.process, cards=one.cards) for one in reports))

    @router.post("/v1/admin/models/{alias}/activate")
    async def activate(alias: Alias, activation: Activation) -> Served:
        """Let the alias serve another installed model, without a lost request."""
        return Served(alias=alias, tag=(await office.activate(alias, activation.tag)).tag)

    @router.post("/v1/admin/models/{alias}/rollback")
    async def rollback(alias: Alias) -> Served:
        """Let the alias serve what it served before."""
        return Served(alias=alias, tag=(await office.rollback(alias)).tag)

    @router.get("/v1/admin/vram/trace")
    async def trace() -> Traces:
        """When which model was asked for lately, as `facesocial vram simulate` reads it."""
        reports = await office.vram(Recall())
        return Traces(items=tuple(ProcessTrace(process=one.process, trace=one.trace or "") for one in reports))

    @router.get("/v1/admin/vram")
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
    return problem("validation_error", in_words(found), request_id(request))
