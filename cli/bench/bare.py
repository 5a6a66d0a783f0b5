"""The bare route: as BentoML generates it, on the same pipeline. What the edge costs is measured against it."""

from __future__ import annotations

from typing import Annotated

import bentoml
from bentoml.validators import ContentType

from bentos.composition import compose
from facesocial.capabilities import Task
from facesocial.configuration import load_configuration
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
        self._parts = compose(load_configuration())

    @bentoml.api(route="/v1/embed")
    async def embed(self, content: Octets, /) -> AnalyzeAnswer:
        """As the service's."""
        form = ImageForm(image=UploadedFile(content, ""))
        return await self._parts.inference.analyze(form, (Task.EMBED,), Visit("bare", Deadline.after(30)))
