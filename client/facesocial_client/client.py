"""The two clients. They differ in how they send and how they wait; everything else is `Exchange`."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterable
from types import TracebackType
from typing import Final, Self, Unpack

import httpx

from facesocial_client import questions
from facesocial_client.exchange import Exchange, Pause, Terms
from facesocial_client.questions import AnswerType, Image, Manner, Question, Search
from facesocial_client.results import Analysis, Detection, Verification
from facesocial_client.world import World

TIMEOUT_S: Final = 30.0
RETRIES: Final = 3
REALITY: Final = World()


class Client:
    """Asks a FaceSocial service. Threads may share one; close it, or use it as context manager.

    Args:
        url: of the service, `http://…` or `https://…`.
        token: the bearer token.
        timeout: seconds that a call may take with all its attempts and pauses. What would end later is not begun; an
            attempt that runs has what is left for each of its phases (to connect, to send, to hear the next bytes).
        retries: attempts after the first. Asked again is where the service says when (429, 503) or no answer came.
        verify: who is believed over TLS: the public authorities (certifi's, or those in `SSL_CERT_FILE`), anybody
            (False), or a context of yours, which may hold a certificate to show.
        transport: httpx's, for example to a Unix socket.
        world: time and chance.

    Raises:
        TypeError: an argument is of the wrong type.
        ValueError: an argument makes no sense.
    """

    def __init__(
        self,
        url: str,
        token: str | None = None,
        timeout: float = TIMEOUT_S,
        retries: int = RETRIES,
        *,
        verify: ssl.SSLContext | bool = True,
        transport: httpx.BaseTransport | None = None,
        world: World = REALITY,
    ) -> None:
        self._terms, self._world = Terms(url, token, timeout, retries), world
        self._http = httpx.Client(verify=verify, transport=transport)

    def detect(self, image: Image, **options: Unpack[Search]) -> Detection:
        """Find faces: box, score and five landmarks each.

        Options, here and below: `min_score` in [0, 1], `max_faces`, `timeout` in seconds for this call, and `fresh`:
            the service neither looks for an answer that it remembers nor keeps this one.

        Raises:
            FaceSocialError: there is no answer; see `facesocial_client.errors`.
            OSError: the file cannot be read.
            TypeError: it is not a picture, or there is no such option.
        """
        return self._ask(questions.detect(image, **options))

    def analyze(self, image: Image, tasks: str | Iterable[str] | None = None, **options: Unpack[Search]) -> Analysis:
        """Find faces and run tasks on each: `embed`, `liveness`, `deepfake`, `demographics`, `mesh`.

        Without `tasks`, what the service has a model for, but the mesh.
        """
        return self._ask(questions.analyze(image, tasks, **options))

    def embed(self, image: Image, **options: Unpack[Search]) -> Analysis:
        """An embedding for each face."""
        return self._ask(questions.one_task("/v1/embed", image, **options))

    def liveness(self, image: Image, **options: Unpack[Search]) -> Analysis:
        """Whether each face was there in person, or is a print or a screen."""
        return self._ask(questions.one_task("/v1/liveness", image, **options))

    def deepfake(self, image: Image, **options: Unpack[Search]) -> Analysis:
        """Whether each face looks swapped or re-enacted."""
        return self._ask(questions.one_task("/v1/deepfake", image, **options))

    def demographics(self, image: Image, **options: Unpack[Search]) -> Analysis:
        """Apparent age and gender of each face."""
        return self._ask(questions.one_task("/v1/demographics", image, **options))

    def verify(
        self, image_a: Image, image_b: Image, *, liveness: bool = False, **options: Unpack[Manner]
    ) -> Verification:
        """Whether the largest faces of two pictures are the same person's and, if asked, both live.

        Of the options, `timeout` and `fresh`.
        """
        return self._ask(questions.verify(image_a, image_b, liveness=liveness, **options))

    def close(self) -> None:
        """Hang up."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _ask(self, question: Question[AnswerType]) -> AnswerType:
        exchange = Exchange(question, self._terms, self._world)
        while True:
            verdict = exchange.judge(self._send(exchange.request()))
            if not isinstance(verdict, Pause):
                return verdict
            self._world.sleep(verdict.seconds)

    def _send(self, request: httpx.Request) -> httpx.Response | httpx.RequestError:
        try:
            return self._http.send(request)
        except httpx.RequestError as error:
            return error


class AsyncClient:
    """The same for asyncio: arguments, methods and errors are those of `Client`. Tasks may share one."""

    def __init__(
        self,
        url: str,
        token: str | None = None,
        timeout: float = TIMEOUT_S,
        retries: int = RETRIES,
        *,
        verify: ssl.SSLContext | bool = True,
        transport: httpx.AsyncBaseTransport | None = None,
        world: World = REALITY,
    ) -> None:
        self._terms, self._world = Terms(url, token, timeout, retries), world
        self._http = httpx.AsyncClient(verify=verify, transport=transport)

    async def detect(self, image: Image, **options: Unpack[Search]) -> Detection:
        """See `Client.detect`."""
        return await self._ask(questions.detect(image, **options))

    async def analyze(
        self, image: Image, tasks: str | Iterable[str] | None = None, **options: Unpack[Search]
    ) -> Analysis:
        """See `Client.analyze`."""
        return await self._ask(questions.analyze(image, tasks, **options))

    async def embed(self, image: Image, **options: Unpack[Search]) -> Analysis:
        """See `Client.embed`."""
        return await self._ask(questions.one_task("/v1/embed", image, **options))

    async def liveness(self, image: Image, **options: Unpack[Search]) -> Analysis:
        """See `Client.liveness`."""
        return await self._ask(questions.one_task("/v1/liveness", image, **options))

    async def deepfake(self, image: Image, **options: Unpack[Search]) -> Analysis:
        """See `Client.deepfake`."""
        return await self._ask(questions.one_task("/v1/deepfake", image, **options))

    async def demographics(self, image: Image, **options: Unpack[Search]) -> Analysis:
        """See `Client.demographics`."""
        return await self._ask(questions.one_task("/v1/demographics", image, **options))

    async def verify(
        self, image_a: Image, image_b: Image, *, liveness: bool = False, **options: Unpack[Manner]
    ) -> Verification:
        """See `Client.verify`."""
        return await self._ask(questions.verify(image_a, image_b, liveness=liveness, **options))

    async def aclose(self) -> None:
        """Hang up."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def _ask(self, question: Question[AnswerType]) -> AnswerType:
        exchange = await asyncio.to_thread(Exchange, question, self._terms, self._world)  # it may read files
        while True:
            verdict = exchange.judge(await self._send(exchange.request()))
            if not isinstance(verdict, Pause):
                return verdict
            await self._world.asleep(verdict.seconds)

    async def _send(self, request: httpx.Request) -> httpx.Response | httpx.RequestError:
        try:
            return await self._http.send(request)
        except httpx.RequestError as error:
            return error
