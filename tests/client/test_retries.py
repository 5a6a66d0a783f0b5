"""Asked again is where it is safe, when the service says, and never past the deadline."""

from __future__ import annotations

import math
import socket
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facesocial_client import (
    Client,
    ConnectionFailed,
    DeadlineExceeded,
    FaceSocialError,
    InternalError,
    ModelNotInstalled,
    NotReady,
    Overloaded,
    RateLimited,
)
from facesocial_client.retries import FIRST_S, LONGEST_S, backoff, retry_after
from tests.client.conftest import EPOCH, Ask, Outcome, Scene
from tests.client.replies import found, refused

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("outcome", "seconds"),
    [
        (refused(429, "rate_limited", "7"), 7),
        (refused(429, "rate_limited"), FIRST_S * 0.75),
        (refused(429, "rate_limited", "soon"), FIRST_S * 0.75),
        (refused(503, "overloaded", "1"), 1),
        (refused(503, "not_ready", "Fri, 15 Jan 2027 08:00:05 GMT"), 5),
        (refused(503, "not_ready", "Fri, 15 Jan 2027 07:00:00 GMT"), 0),
        (httpx.Response(503, text="proxy", headers={"Retry-After": "2"}), 2),
        (httpx.ConnectError("refused"), FIRST_S * 0.75),
        (httpx.ReadError("reset"), FIRST_S * 0.75),
        (httpx.RemoteProtocolError("Server disconnected without sending a response."), FIRST_S * 0.75),
    ],
)
def test_asked_again(ask: Ask, scene: Scene, outcome: Outcome, seconds: float) -> None:
    scene.outcomes = [outcome, found()]
    assert ask("detect", b"picture").faces == ()
    assert scene.slept == [seconds]
    first, second = scene.requests
    assert (first.url, first.content) == (second.url, second.content)


@pytest.mark.parametrize(
    ("outcome", "kind"),
    [
        (refused(503, "model_not_installed"), ModelNotInstalled),
        (refused(503, "overloaded"), Overloaded),
        (httpx.Response(503, text="proxy"), NotReady),
        (refused(500, "internal"), InternalError),
        (refused(504, "deadline_exceeded"), DeadlineExceeded),
        (refused(422, "validation_error", "1"), FaceSocialError),
        (httpx.ReadTimeout("slow"), DeadlineExceeded),
        (httpx.ConnectTimeout("far"), DeadlineExceeded),
        (httpx.ProxyError("407"), ConnectionFailed),
    ],
)
def test_not_asked_again(ask: Ask, scene: Scene, outcome: Outcome, kind: type[FaceSocialError]) -> None:
    scene.outcomes = [outcome]
    with pytest.raises(kind):
        ask("detect", b"picture")
    assert (len(scene.requests), scene.slept) == (1, [])


def test_the_last_error_is_the_one_that_is_raised(ask: Ask, scene: Scene) -> None:
    scene.outcomes = [httpx.ConnectError("refused"), httpx.ReadError("reset"), refused(429, "rate_limited", "3")]
    with pytest.raises(RateLimited) as caught:
        ask("detect", b"picture", client={"retries": 2})
    assert caught.value.retry_after == 3
    assert scene.slept == [FIRST_S * 0.75, FIRST_S * 1.5]
    scene.outcomes = [httpx.ConnectError("refused")]
    with pytest.raises(ConnectionFailed, match="refused") as gone:
        ask("detect", b"picture", client={"retries": 0})
    assert isinstance(gone.value.__cause__, httpx.ConnectError)
    assert (gone.value.status, gone.value.code) == (None, "connection_failed")
    assert len(scene.requests) == 4


@pytest.mark.parametrize("options", [{"client": {"timeout": 10}}, {"timeout": 10}])
def test_no_pause_goes_past_the_deadline(ask: Ask, scene: Scene, options: dict[str, float]) -> None:
    """2 + 4 + 2 s are within ten, and another four are not: the error comes at once."""
    scene.effort, scene.outcomes = 2, [refused(503, "overloaded", "4")]
    with pytest.raises(Overloaded) as caught:
        ask("detect", b"picture", **options)
    assert caught.value.retry_after == 4
    assert (scene.now, scene.slept) == (8, [4])
    assert [sent.extensions["timeout"]["read"] for sent in scene.requests] == [10, 4]
    assert [sent.extensions["timeout"]["connect"] for sent in scene.requests] == [10, 4]


def test_the_service_hears_what_is_left_of_a_calls_own_deadline(ask: Ask, scene: Scene) -> None:
    scene.effort, scene.outcomes = 0.5, [refused(503, "overloaded", "1"), found()]
    ask("detect", b"picture", timeout=4)
    assert [sent.headers["x-timeout-ms"] for sent in scene.requests] == ["4000", "2500"]
    with pytest.raises(DeadlineExceeded, match="no answer within 0 s"):
        ask("detect", b"picture", timeout=0)
    assert len(scene.requests) == 2


@pytest.mark.parametrize(("seconds", "error"), [("5", TypeError), (True, TypeError), (math.inf, ValueError)])
def test_a_calls_deadline_that_is_none(ask: Ask, scene: Scene, seconds: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="timeout"):
        ask("detect", b"picture", timeout=seconds)
    with pytest.raises(ValueError, match="timeout"):
        ask("detect", b"picture", timeout=math.nan)
    assert scene.requests == []


def test_a_pause_that_took_too_long(ask: Ask, scene: Scene) -> None:
    """The machine slept, too."""
    scene.outcomes, scene.oversleep = [refused(503, "overloaded", "1")], 100
    with pytest.raises(DeadlineExceeded, match="no answer within 30 s"):
        ask("detect", b"picture")
    assert len(scene.requests) == 1


def test_a_failure_without_a_word_has_a_name(ask: Ask, scene: Scene) -> None:
    scene.outcomes = [httpx.ReadError("")]
    with pytest.raises(ConnectionFailed, match=r"^no answer: ReadError$"):
        ask("detect", b"picture")


def test_a_port_where_nobody_listens() -> None:
    """Without a fake: what httpx raises is what we wait for."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        scene = Scene()
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with Client(url, world=scene.world) as client, pytest.raises(ConnectionFailed):
            client.detect(b"picture")
    assert scene.slept == [FIRST_S * 0.75 * 2**n for n in range(3)]


@given(st.integers(0, 10**6), st.floats(0, 1, exclude_max=True))
def test_backoff_has_bounds(attempt: int, chance: float) -> None:
    longest = min(LONGEST_S, FIRST_S * 2.0 ** min(attempt, 10))
    assert longest / 2 <= backoff(attempt, chance) <= longest


NUMBERS = st.integers(-1, 10**20).map(str)


@given(st.text() | st.builds("Fri, {} Jan {} {}:00:{} {}".format, *[NUMBERS] * 4, NUMBERS | st.just("GMT")))
def test_retry_after_never_fails(header: str) -> None:
    seconds = retry_after(header, EPOCH)
    assert seconds is None or seconds >= 0


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("", None),
        ("-1", None),
        ("1.5", None),
        ("²", None),
        ("0", 0),
        ("120", 120),
        ("9" * 5000, math.inf),
        ("Fri, 15 Jan 2027 08:01:00 GMT", 60),
        ("Friday, 15-Jan-27 08:01:00 GMT", 60),
        ("Fri Jan 15 08:01:00 2027", 60),
        ("Fri, 15 Jan 2027 08:01:00 -0000", 60),
    ],
)
def test_retry_after(header: str | None, seconds: float | None) -> None:
    """The three forms of a date in RFC 9110, section 5.6.7, among them."""
    assert retry_after(header, EPOCH) == seconds
