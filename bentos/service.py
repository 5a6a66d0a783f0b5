"""The entry service: what BentoML generates the HTTP API from. Every method reads a form, runs it, and answers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import bentoml
import structlog
from _bentoml_sdk import Service
from starlette.datastructures import Headers
from starlette.responses import Response

from bentos import inner
from bentos.composition import local_desk
from bentos.placement import ENTRY, LANE, PIPELINE
from bentos.remote import FailoverDesk, RemoteDesk, RemoteResidency
from bentos.server import serve_behind_edge
from bentos.setting import configuration, resolution
from bentos.vram import residency_of
from facesocial.capabilities import Task
from models.library import Library
from models.store import home
from services.administration import Office
from services.answers import AnalyzeAnswer, DetectAnswer, VerifyAnswer
from services.cache.cache import ResultCache
from services.cache.tags import Tags
from services.edge.administration import administration
from services.edge.caching import Recall
from services.edge.counter import Counter
from services.edge.door import Door
from services.edge.forms import AnalyzeForm, FormReader, ImageForm, VerifyForm
from services.edge.inference import Inference
from services.edge.intake import Intake
from services.edge.rates import Rates
from services.identity import Identity
from services.operators import operator_token
from services.pipeline.desk import Desk
from services.readiness import State
from services.residency import Residency

log = structlog.get_logger(__name__)


class _FaceSocial:
    """Faces in a picture: where, who, live, genuine, how old."""

    def __init__(self) -> None:
        self._desk, self._residency = _parts(self)
        self._inference = Inference(self._desk, configuration)
        self._cache = ResultCache(configuration.cache, _redis())
        tags = Tags(Library.open(configuration.models.starter))
        self._counter = Counter(configuration, Recall(self._cache, tags, configuration), intake)
        readiness.follow(self._desk, self._losses)
        office.open(self._residency, operator_token(home() / "facesocial"))

    @bentoml.on_shutdown
    async def close(self) -> None:
        """Let what runs come to its end; in a thread, for it may need this loop."""
        await asyncio.to_thread(self._desk.close)
        await asyncio.to_thread(self._residency.close)
        await self._cache.aclose()
        await rates.aclose()

    @bentoml.api(route="/v1/detect", input_spec=ImageForm, output_spec=DetectAnswer)
    async def detect(self, form: FormReader[ImageForm]) -> Response:
        """Find faces: box, score and five landmarks each."""
        return await self._counter.serve(form, self._inference.detect)

    @bentoml.api(route="/v1/analyze", input_spec=AnalyzeForm, output_spec=AnalyzeAnswer)
    async def analyze(self, form: FormReader[AnalyzeForm]) -> Response:
        """Find faces and run the tasks on each."""
        return await self._counter.serve(form, lambda read, visit: self._inference.analyze(read, read.tasks, visit))

    @bentoml.api(route="/v1/embed", input_spec=ImageForm, output_spec=AnalyzeAnswer)
    async def embed(self, form: FormReader[ImageForm]) -> Response:
        """An embedding for each face."""
        return await self._one_task(form, Task.EMBED)

    @bentoml.api(route="/v1/liveness", input_spec=ImageForm, output_spec=AnalyzeAnswer)
    async def liveness(self, form: FormReader[ImageForm]) -> Response:
        """Whether each face was there in person, or is a print or a screen."""
        return await self._one_task(form, Task.LIVENESS)

    @bentoml.api(route="/v1/deepfake", input_spec=ImageForm, output_spec=AnalyzeAnswer)
    async def deepfake(self, form: FormReader[ImageForm]) -> Response:
        """Whether each face looks swapped or re-enacted."""
        return await self._one_task(form, Task.DEEPFAKE)

    @bentoml.api(route="/v1/demographics", input_spec=ImageForm, output_spec=AnalyzeAnswer)
    async def demographics(self, form: FormReader[ImageForm]) -> Response:
        """Apparent age and gender of each face."""
        return await self._one_task(form, Task.DEMOGRAPHICS)

    @bentoml.api(route="/v1/verify", input_spec=VerifyForm, output_spec=VerifyAnswer)
    async def verify(self, form: FormReader[VerifyForm]) -> Response:
        """Whether the largest faces of two images are the same person's."""
        return await self._counter.serve(form, self._inference.verify)

    def _losses(self) -> tuple[str, ...]:
        """What is gone, and requests are answered without."""
        alone = ("rates: Redis is away, each process counts for itself",) if rates.alone else ()
        return (*alone, "cache: Redis is away, or not to be used") if self._cache.away else alone

    async def _one_task(self, form: FormReader[ImageForm], task: Task) -> Response:
        return await self._counter.serve(form, lambda read, visit: self._inference.analyze(read, (task,), visit))


class _Readiness:
    """What `/readyz` asks, before there is a desk and after."""

    def __init__(self) -> None:
        self._desk: Desk | None = None
        self._losses: Callable[[], tuple[str, ...]] = tuple

    def follow(self, desk: Desk, losses: Callable[[], tuple[str, ...]]) -> None:
        """From now on the desk knows, and `losses` of what is beside it."""
        self._desk, self._losses = desk, losses

    async def state(self) -> State:
        """Whether requests can be answered, and why not."""
        if not self._desk:
            return State(ready=False, reasons=("starting",))
        now = await self._desk.state()
        return replace(now, degraded=(*now.degraded, *self._losses()))


def _parts(entry: object) -> tuple[Desk, Residency]:
    """Where this placement answers inquiries, and where its cards are."""
    lines = inner.lines(entry)
    here = residency_of(ENTRY, configuration, resolution)
    residency: Residency = here
    if PIPELINE in lines:
        desk: Desk = RemoteDesk(lines[PIPELINE])
        residency = RemoteResidency(lines[PIPELINE])
    else:
        local = local_desk(configuration, here.arbiter)
        local.readiness.start()
        desk = local
    return FailoverDesk(desk, RemoteDesk(lines[LANE])) if LANE in lines else desk, residency


def _redis() -> str | None:
    url = configuration.redis.url
    return url.get_secret_value() if url else None


def _identity(headers: Headers) -> Identity | None:
    return office.identify(headers.get("authorization", ""))


readiness = _Readiness()
office = Office(configuration)
intake = Intake.of(configuration)
operators = administration(office, configuration, intake)
FaceSocial: Service[Any] = bentoml.service(name=ENTRY, **inner.OPTIONS)(
    bentoml.asgi_app(operators, path="/")(inner.needing(_FaceSocial, inner.services()))
)
rates = Rates(configuration.rates, _redis())
serve_behind_edge(readiness.state, Door(rates, _identity), configuration.server.cors_origins)
