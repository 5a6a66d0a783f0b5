"""The bare route: as BentoML generates it, on the same pipeline. What the edge costs is measured against it."""

from __future__ import annotations

from typing import Annotated

import bentoml
import cv2
from bentoml.validators import ContentType
from starlette.responses import Response

from bentos.composition import compose
from facesocial.capabilities import Task
from facesocial.configuration import load_configuration
from facesocial.memory import keep_freed_pages
from services.answers import AnalyzeAnswer
from services.deadline import Deadline
from services.edge.forms import ImageForm
from services.edge.upload import UploadedFile
from services.visit import Visit

SERVICE = "cli.bench.bare:Bare"

Octets = Annotated[bytes, ContentType("application/octet-stream")]


@bentoml.service(name="bare", logging={"access": {"enabled": False}})
class Bare:
    """No limits, no errors in our form, no rates, no cache: BentoML's server, middleware and body."""

    def __init__(self) -> None:
        cv2.setNumThreads(1)  # as the service does
        keep_freed_pages()
        self._parts = compose(load_configuration())

    @bentoml.api(route="/v1/embed", output_spec=AnalyzeAnswer)
    async def embed(self, content: Octets, /) -> Response:
        """As the service's, its JSON made in the same way."""
        form = ImageForm(image=UploadedFile(content, ""))
        answer = await self._parts.inference.analyze(form, (Task.EMBED,), Visit("bare", Deadline.after(30)))
        return Response(answer.model_dump_json(exclude_unset=True), media_type="application/json")
