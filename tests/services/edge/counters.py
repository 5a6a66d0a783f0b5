"""A counter with a gated desk behind it, and requests for it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from ipaddress import ip_address
from types import SimpleNamespace
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message

from facesocial.capabilities import Capability
from facesocial.configuration import Configuration
from services.cache.cache import ResultCache
from services.cache.tags import Tags
from services.edge.caching import Recall
from services.edge.caller import CALLER, Caller
from services.edge.counter import Counter
from services.edge.forms import FormReader, ImageForm
from services.edge.inference import Inference
from services.edge.intake import Intake
from services.edge.reply import REQUEST_ID
from tests.pictures import plain
from tests.services.desks import gated_desk

HERE: Final = Caller(ip_address("192.0.2.1"))

Receive = Callable[[], Awaitable[Message]]


def whole(body: bytes) -> Receive:
    """The body in one piece, for ever."""

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive


class Front:
    """`/v1/detect` without a server. `tag` is that of the model that the alias names."""

    def __init__(self, gated: Any, places: int = 1, **settings: Any) -> None:
        self.configuration = Configuration.model_validate(settings)
        self.desk = gated_desk(gated, self.configuration, places)
        self.cache = ResultCache(self.configuration.cache)
        self.tag = "a:1"
        library: Any = SimpleNamespace(serving=lambda: {Capability.DETECTION: SimpleNamespace(tag=self.tag)})
        self.counter = Counter(
            self.configuration, Recall(self.cache, Tags(library), self.configuration), Intake.of(self.configuration)
        )
        self.inference = Inference(self.desk, self.configuration)

    async def detect(
        self,
        content: bytes | None = None,
        receive: Receive | None = None,
        caller: Caller = HERE,
        identity: str = "an-id",
        query: str = "",
        declared: str = "image/*",
        headers: tuple[tuple[str, str], ...] = (),
    ) -> Response:
        """The response to one request."""
        named = (("content-type", declared), *headers)
        scope = {
            "type": "http",
            "method": "POST",
            "path": "/v1/detect",
            "query_string": query.encode(),
            "headers": [(name.lower().encode(), value.encode()) for name, value in named],
            REQUEST_ID: identity,
            CALLER: caller,
        }
        request = Request(scope, receive or whole(plain("PNG") if content is None else content))
        return await self.counter.serve(FormReader(ImageForm, request), self.inference.detect)

    def close(self) -> None:
        """After the gate was opened."""
        self.desk.threads.shutdown()
