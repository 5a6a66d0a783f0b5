"""Where a request is served: read within its deadline, answered, and every error made a problem."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import replace

import structlog
from starlette.requests import Request
from starlette.responses import Response

from facesocial.configuration import Configuration
from services.answers import Answer
from services.edge.caching import Recall, given_again
from services.edge.caller import CALLER
from services.edge.forms import FormReader, FormType
from services.edge.intake import Intake
from services.edge.problems import problem_of
from services.edge.reply import request_id
from services.edge.timeout import deadline_of
from services.visit import Visit

log = structlog.get_logger(__name__)


class Counter:
    """Serves the routes that take a form."""

    def __init__(self, configuration: Configuration, recall: Recall, intake: Intake) -> None:
        self._recall = recall
        self._limits = configuration.limits
        self._most_ms = configuration.server.deadline_ms
        self._intake = intake

    async def serve(
        self, form: FormReader[FormType], answer: Callable[[FormType, Visit], Awaitable[Answer]]
    ) -> Response:
        """The answer, or the problem that the error is."""
        identity, began = request_id(form.request), time.perf_counter()
        try:
            visit = Visit(identity, deadline_of(form.request.headers, self._most_ms))
            with self._intake.open(form.request.scope[CALLER]) as take:
                read = await visit.deadline.bound(form.read(self._limits, take))
                visit = replace(visit, upload_seconds=time.perf_counter() - began)
                content = await visit.deadline.bound(self._content(form.request, read, visit, answer))
        except Exception as error:
            refusal = problem_of(error, identity)
            if refusal.status_code == 500:
                log.exception("unhandled", request_id=identity)
            return refusal
        return Response(content, media_type="application/json")

    async def _content(
        self, request: Request, form: FormType, visit: Visit, answer: Callable[[FormType, Visit], Awaitable[Answer]]
    ) -> bytes:
        """JSON: as it was given before, or the answer, which is kept."""
        lookup = await self._recall.find(request, form)
        if lookup and lookup.value is not None:
            return given_again(lookup.value, visit)
        result = await answer(form, visit)
        content = result.model_dump_json(exclude_unset=True).encode()
        if lookup:
            await self._recall.keep(lookup, result, content)
        return content
