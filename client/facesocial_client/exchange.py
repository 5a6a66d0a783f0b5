"""One call without its I/O: which request to send, and what becomes of the outcome."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from numbers import Integral
from typing import Final, Generic

import httpx

from facesocial_client.decoding import read
from facesocial_client.errors import ConnectionFailed, DeadlineExceeded, FaceSocialError, InvalidReply, kind_of
from facesocial_client.questions import AnswerType, Question, content
from facesocial_client.retries import backoff, promising, retry_after
from facesocial_client.version import __version__
from facesocial_client.world import World

ANY_IMAGE: Final = "image/*"
"""The service looks at the content."""

TOKEN: Final = re.compile(r"[A-Za-z0-9._~+/=-]+")
"""RFC 6750, section 2.1, a little wider."""


LONGEST_S: Final = 999_999
"""Nine digits of milliseconds are what the service takes for a deadline."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What holds for all calls of a client; `timeout` in seconds, `retries` after the first attempt.

    Raises:
        TypeError: one of them is of the wrong type.
        ValueError: one of them makes no sense.
    """

    url: str
    token: str | None = field(repr=False)
    timeout: float
    retries: int

    def __post_init__(self) -> None:
        for name, kind in (("url", str), ("token", str | None), ("retries", Integral)):
            if not isinstance(value := getattr(self, name), kind):
                raise TypeError(f"{name} cannot be of type {type(value).__name__}")
        if not self.url.startswith(("http://", "https://")):
            raise ValueError("the URL must begin with http:// or https://")
        if patience(self.timeout) <= 0 or self.retries < 0:
            raise ValueError("the timeout must be positive, and retries not negative")
        if self.token is not None and not TOKEN.fullmatch(self.token):  # else the error of h11 would show it
            raise ValueError("the token is not one that a header can hold")


def patience(seconds: object) -> float:
    """How long a call may take.

    Raises:
        TypeError: it is no number.
        ValueError: it is endless, or longer than the service takes for a deadline.
    """
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise TypeError(f"timeout cannot be of type {type(seconds).__name__}")
    if not seconds <= LONGEST_S:
        raise ValueError(f"the timeout must be at most {LONGEST_S} s")
    return float(seconds)


@dataclass(frozen=True, slots=True)
class Problem:
    """What we read of an error's body."""

    code: str | None = None
    detail: str | None = None
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait so many seconds, then send the request again."""

    seconds: float


class Exchange(Generic[AnswerType]):
    """Reads the pictures, once. Then by turns: send `request()`, and let `judge` say what became of it.

    Raises:
        OSError: a picture cannot be read.
        TypeError: it is not a picture, or `timeout` is no number.
        ValueError: `timeout` makes no sense.
    """

    def __init__(self, question: Question[AnswerType], terms: Terms, world: World) -> None:
        self._question, self._terms, self._world = question, terms, world
        self._seconds = patience(terms.timeout if question.timeout is None else question.timeout)
        self._deadline = world.monotonic() + self._seconds
        self._images = {name: content(image) for name, image in question.images.items()}
        self._failures = 0

    def request(self) -> httpx.Request:
        """The next attempt; each phase of it may take what is left of the time.

        Raises:
            DeadlineExceeded: nothing is left.
        """
        left = self._deadline - self._world.monotonic()
        if left <= 0:
            raise self._late()
        headers = {"Accept": "application/json", "User-Agent": f"facesocial-client/{__version__}"}
        if self._terms.token is not None:
            headers["Authorization"] = f"Bearer {self._terms.token}"
        if self._question.timeout is not None:
            headers["X-Timeout-Ms"] = str(max(1, int(left * 1000)))
        if self._question.fresh:
            headers["Cache-Control"] = "no-store"
        url = self._terms.url.rstrip("/") + self._question.path
        extensions = {"timeout": httpx.Timeout(left).as_dict()}
        if len(self._images) == 1:
            (image,) = self._images.values()
            headers["Content-Type"] = ANY_IMAGE
            parameters = self._question.parameters or None
            return httpx.Request("POST", url, params=parameters, headers=headers, content=image, extensions=extensions)
        files = {name: (None, image, ANY_IMAGE) for name, image in self._images.items()}
        parts = self._question.parameters
        return httpx.Request("POST", url, headers=headers, data=parts, files=files, extensions=extensions)

    def judge(self, outcome: httpx.Response | httpx.RequestError) -> AnswerType | Pause:
        """The answer, or how long to wait before the next attempt.

        Raises:
            FaceSocialError: there is no answer, and waiting does not help or would take too long.
        """
        if isinstance(outcome, httpx.Response) and outcome.status_code == 200:
            return self._answer(outcome)
        error = self._refusal(outcome) if isinstance(outcome, httpx.Response) else self._failure(outcome)
        seconds = error.retry_after
        if seconds is None:
            seconds = backoff(self._failures, self._world.chance())
        self._failures += 1
        in_time = self._world.monotonic() + seconds < self._deadline
        if in_time and self._failures <= self._terms.retries and promising(error):
            return Pause(seconds)
        raise error

    def _answer(self, reply: httpx.Response) -> AnswerType:
        try:
            return read(self._question.answer, json.loads(reply.content))
        except (ValueError, OverflowError, RecursionError) as error:
            detail, request_id = f"not an answer to {self._question.path}: {error}", reply.headers.get("x-request-id")
            raise InvalidReply(detail, status=reply.status_code, request_id=request_id) from error

    def _refusal(self, reply: httpx.Response) -> FaceSocialError:
        """The problem that the service states (RFC 9457); a proxy's answer has a status and no more."""
        try:
            problem = read(Problem, json.loads(reply.content))
        except (ValueError, RecursionError):
            problem = Problem()
        return kind_of(reply.status_code, problem.code)(
            problem.detail or f"the answer has status {reply.status_code}",
            status=reply.status_code,
            code=problem.code,
            request_id=problem.request_id or reply.headers.get("x-request-id"),
            retry_after=retry_after(reply.headers.get("retry-after"), self._world.wall()),
        )

    def _failure(self, cause: httpx.RequestError) -> FaceSocialError:
        late, said = isinstance(cause, httpx.TimeoutException), str(cause) or type(cause).__name__
        error = self._late() if late else ConnectionFailed(f"no answer: {said}")
        error.__cause__ = cause
        return error

    def _late(self) -> DeadlineExceeded:
        return DeadlineExceeded(f"no answer within {self._seconds:g} s")
