"""Answers that were given before: which question a request is, and what a second answer says anew."""

from __future__ import annotations

import json
from importlib.metadata import version
from typing import Final

from starlette.datastructures import Headers
from starlette.requests import Request

from facesocial.configuration import Configuration
from services.answers import Answer
from services.cache.cache import Lookup, ResultCache
from services.cache.keys import Question
from services.cache.tags import Tags
from services.edge.caller import CALLER
from services.edge.forms import Form
from services.visit import Visit

BASIS: Final = "basis"
"""Parameter that no form has: what else an answer depends on."""


class Recall:
    """Of one process.

    Args:
        cache: where answers are.
        tags: which models serve.
        configuration: defaults and limits that answers depend on.
    """

    def __init__(self, cache: ResultCache, tags: Tags, configuration: Configuration) -> None:
        self._cache = cache
        self._tags = tags
        parts = (version("facesocial"), configuration.limits.model_dump_json(), configuration.models.model_dump_json())
        self._basis = "|".join(parts)

    async def find(self, request: Request, form: Form) -> Lookup | None:
        """What is known of this request's answer; None: it is neither looked for nor kept."""
        tags = await self._tags.now()
        if tags is None or not may_be_kept(request.headers):
            return None
        parameters = form.parameters | {BASIS: self._basis}
        tenant = request.scope[CALLER].key
        sources = [file.content for file in form.files]
        return await self._cache.find(Question(tenant, request.url.path, sources, parameters, tags))

    async def keep(self, lookup: Lookup, answer: Answer, content: bytes) -> None:
        """For the next who asks the same."""
        await self._cache.keep(lookup, content, answer.models)


def given_again(content: bytes, visit: Visit) -> bytes:
    """An answer under a new request id, marked, with the time that this request took."""
    answer = json.loads(content)
    own = {
        "request_id": visit.request_id,
        "cached": True,
        "timing_ms": {"upload": round(visit.upload_seconds * 1000, 2)},
    }
    return json.dumps(answer | own, separators=(",", ":")).encode()


def may_be_kept(headers: Headers) -> bool:
    """False: `Cache-Control: no-store` (RFC 9111, 5.2.1.5); neither look for an answer nor keep one."""
    directives = ",".join(headers.getlist("cache-control")).lower().split(",")
    return "no-store" not in {directive.partition("=")[0].strip() for directive in directives}
