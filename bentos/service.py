"""The entry service: what BentoML generates the HTTP API from. Every method reads a form, runs it, and answers."""

from __future__ import annotations

import atexit
import os
import platform
import shutil
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import bentoml
import cv2
import structlog
from starlette.responses import Response

from bentos.composition import compose
from bentos.platform import refuse_unsafe_sockets
from bentos.server import harden_protocol, hide_supervisor, keep_inner_services_to_the_end, serve_behind_edge
from facesocial.capabilities import Task
from facesocial.configuration import load_configuration
from facesocial.logging import configure_logging
from facesocial.memory import keep_freed_pages
from services.answers import AnalyzeAnswer, Answer, DetectAnswer, VerifyAnswer
from services.deadline import within
from services.edge.forms import AnalyzeForm, FormReader, FormType, ImageForm, VerifyForm
from services.edge.problems import problem_of
from services.edge.wrapper import request_id
from services.readiness import Readiness

configuration = load_configuration()
configure_logging(configuration.logging)
cv2.setNumThreads(1)  # parallelism is between requests and inside sessions
keep_freed_pages()
readiness = Readiness()
log = structlog.get_logger(__name__)


@bentoml.service(
    name="facesocial",
    runner_connection={"max_requests": 10**9, "max_age": 1e9},  # BentoML's 100 kills calls in flight
    traffic={"timeout": 10**6},  # seconds, of calls to it; it must be a number, and the deadline is ours
    logging={"access": {"enabled": False}},  # the edge logs
)
class FaceSocial:
    """Faces in a picture: where, who, live, genuine, how old."""

    def __init__(self) -> None:
        self.parts = compose(configuration)
        readiness.warm_up(self.parts.runners, self.parts.pipeline, configuration)

    @bentoml.on_shutdown
    def close(self) -> None:
        """Let what runs come to its end."""
        self.parts.inference.close()

    @bentoml.api(route="/v1/detect", input_spec=ImageForm, output_spec=DetectAnswer)
    async def detect(self, form: FormReader[ImageForm]) -> Response:
        """Find faces: box, score and five landmarks each."""
        return await self._respond(form, self.parts.inference.detect)

    @bentoml.api(route="/v1/analyze", input_spec=AnalyzeForm, output_spec=AnalyzeAnswer)
    async def analyze(self, form: FormReader[AnalyzeForm]) -> Response:
        """Find faces and run the tasks on each."""
        return await self._respond(form, lambda read, *of: self.parts.inference.analyze(read, read.tasks, *of))

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
        return await self._respond(form, self.parts.inference.verify)

    async def _one_task(self, form: FormReader[ImageForm], task: Task) -> Response:
        return await self._respond(form, lambda read, *of: self.parts.inference.analyze(read, (task,), *of))

    async def _respond(
        self, form: FormReader[FormType], answer: Callable[[FormType, str, float], Awaitable[Answer]]
    ) -> Response:
        """Read, answer, and turn errors into problem+json."""
        identity, started = request_id(form.request), time.perf_counter()
        try:
            read = await within(configuration.server.deadline_ms / 1000, form.read(configuration.limits))
            result = await answer(read, identity, time.perf_counter() - started)
        except Exception as error:
            refusal = problem_of(error, identity)
            if refusal.status_code == 500:
                log.exception("unhandled", request_id=identity)
            return refusal
        return Response(result.model_dump_json(exclude_unset=True), media_type="application/json")


def _runtime() -> Path:
    """The folder of this service's sockets, mode 0700: made by the first process, handed to its children."""
    if "FACESOCIAL_RUNTIME" not in os.environ:
        os.environ["FACESOCIAL_RUNTIME"] = tempfile.mkdtemp(prefix="facesocial-")
        atexit.register(shutil.rmtree, os.environ["FACESOCIAL_RUNTIME"], ignore_errors=True)
    return Path(os.environ["FACESOCIAL_RUNTIME"])


refuse_unsafe_sockets(os.environ, platform.release(), processes=False)
serve_behind_edge(readiness)
harden_protocol(configuration.server)
hide_supervisor(_runtime())
keep_inner_services_to_the_end()
