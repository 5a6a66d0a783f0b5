"""Calls to inner processes: broken connections, dead and silent processes, and who answers instead."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, cast

import aiohttp
import pytest
from bentoml.exceptions import InternalServerError

from bentos import remote
from bentos.presence import Presence, hold
from bentos.remote import FailoverDesk, Line, RemoteDesk
from facesocial import wire
from facesocial.errors import ImageTruncated, NotReady, ProcessLost
from services.deadline import Deadline
from services.pipeline.desk import Desk
from services.pipeline.inquiry import Inquiry
from services.pipeline.report import Findings
from services.readiness import State

pytestmark = pytest.mark.unit

INQUIRY = Inquiry("an-id", (), Deadline(0.0, 30.0))
FINDINGS = Findings((), (), {"a": "b"}, {})


@dataclass
class Proxy:
    """What `bentoml.depends` gives, as far as a line uses it; each call does the next of `turns`."""

    turns: list[Callable[[], Any]]
    calls: list[tuple[str, bytes]] = field(default_factory=list)

    @property
    def to_async(self) -> Proxy:
        """It is asynchronous itself."""
        return self

    async def call(self, method: str, content: bytes) -> bytes:
        """The next turn; the last for ever."""
        self.calls.append((method, content))
        turn = self.turns.pop(0) if len(self.turns) > 1 else self.turns[0]
        result = turn()
        return cast(bytes, await result if asyncio.iscoroutine(result) else result)


def fail(error: Exception) -> Callable[[], Any]:
    """A turn that raises."""

    def turn() -> None:
        raise error

    return turn


async def silence() -> bytes:
    """No reply."""
    await asyncio.sleep(3600)
    return b""


@pytest.fixture
def lock(tmp_path: Path) -> Iterator[BinaryIO]:
    """Held as by a living process, until closed."""
    with hold(tmp_path / "lock") as handle:
        yield handle


@pytest.fixture
async def presence(lock: BinaryIO) -> Presence:
    """Of that process."""
    presence = Presence(Path(lock.name), "facesocial_inner")
    while not presence.alive:  # noqa: ASYNC110 — a thread finds out
        await asyncio.sleep(0.005)
    return presence


BROKEN = [
    aiohttp.ServerDisconnectedError(),
    aiohttp.ClientPayloadError("the head came, the body broke off"),
    InternalServerError("BentoML's words"),
]


@pytest.mark.parametrize("error", BROKEN, ids=lambda error: type(error).__name__)
async def test_a_broken_call_is_tried_once_more(presence: Presence, error: Exception) -> None:
    proxy = Proxy([fail(error), lambda: b"reply"])
    assert await Line(proxy, presence).call("ask", b"content") == b"reply"
    assert proxy.calls == [("ask", b"content")] * 2


@pytest.mark.parametrize("error", BROKEN, ids=lambda error: type(error).__name__)
async def test_a_call_that_breaks_twice_is_a_lost_process(presence: Presence, error: Exception) -> None:
    proxy = Proxy([fail(error)])
    with pytest.raises(ProcessLost, match="facesocial_inner"):
        await Line(proxy, presence).call("ask", b"")
    assert len(proxy.calls) == 2


async def test_our_own_errors_are_not_tried_again(presence: Presence) -> None:
    proxy = Proxy([lambda: wire.refusal(ImageTruncated("ends early"))])
    with pytest.raises(ImageTruncated):
        await RemoteDesk(Line(proxy, presence)).ask(INQUIRY)
    assert len(proxy.calls) == 1


async def test_nobody_is_called_who_is_not_there(presence: Presence, lock: BinaryIO) -> None:
    proxy = Proxy([silence])
    line = Line(proxy, presence)
    call = asyncio.create_task(line.call("ask", b""))
    await asyncio.sleep(0.02)
    lock.close()
    with pytest.raises(ProcessLost):
        await asyncio.wait_for(call, 1)
    with pytest.raises(ProcessLost):
        await line.call("ask", b"")
    assert len(proxy.calls) == 1
    assert not line.alive


async def test_a_thread_waits_no_longer_than_the_deadline(presence: Presence) -> None:
    """A process that hangs without dying costs its callers the deadline, not their threads."""
    send = Line(Proxy([silence]), presence).blocking("run", asyncio.get_running_loop(), 0.1)
    began = time.monotonic()
    with ThreadPoolExecutor(1) as threads, pytest.raises(NotReady, match="does not answer"):
        await asyncio.get_running_loop().run_in_executor(threads, send, b"")
    assert time.monotonic() - began < 2
    await asyncio.sleep(0)
    assert not [task for task in asyncio.all_tasks() if "silence" in repr(task)]


async def test_findings_and_states_cross(presence: Presence, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = RemoteDesk(Line(Proxy([lambda: wire.reply(FINDINGS)]), presence))
    assert await desk.ask(INQUIRY) == FINDINGS
    state = State(True, (), ("face-mesh: not installed",), 7)
    assert await RemoteDesk(Line(Proxy([lambda: wire.reply(state)]), presence)).state() == state
    monkeypatch.setattr(remote, "STATE_SECONDS", 0.05)
    silent = await RemoteDesk(Line(Proxy([silence]), presence)).state()
    assert silent == State(False, ("facesocial_inner: its process does not answer",))


@dataclass
class Known:
    """A desk in a state; not ready means it is not there."""

    now: State
    name: str = "first"
    asked: int = 0
    closed: bool = False

    async def ask(self, inquiry: Inquiry) -> Findings:
        """Signed."""
        self.asked += 1
        if not self.now.ready:
            raise ProcessLost(self.name)
        return Findings((), (), {"by": self.name}, {})

    async def state(self) -> State:
        """As told."""
        return self.now

    def close(self) -> None:
        """Remember."""
        self.closed = True


UP = State(True, (), ("face-mesh: not installed",), 3)
DOWN = State(False, ("pipeline: its process is not there",))


@pytest.mark.parametrize(
    ("first", "lane", "state", "by"),
    [
        (UP, State(True, (), (), 3), UP, "first"),
        (UP, DOWN, State(True, (), (*UP.degraded, f"CPU lane: {DOWN.reasons[0]}"), 3), "first"),
        (DOWN, State(True, (), ("x",), 3), State(True, (), (*DOWN.reasons, "x", "the CPU lane answers"), 3), "lane"),
        (DOWN, State(False, ("lane",)), DOWN, None),
    ],
)
async def test_the_lane_answers_for_the_first(first: State, lane: State, state: State, by: str | None) -> None:
    """Inside the request, and only where the first is not there; readiness says which."""
    desks = Known(first), Known(lane, "lane")
    desk = FailoverDesk(cast(Desk, desks[0]), cast(Desk, desks[1]))
    assert await desk.state() == state
    if by:
        assert (await desk.ask(INQUIRY)).caveats == {"by": by}
    else:
        with pytest.raises(ProcessLost, match="lane"):
            await desk.ask(INQUIRY)
    assert desks[1].asked == (by != "first")
    desk.close()
    assert desks[0].closed
    assert desks[1].closed


async def test_a_caller_who_gives_up_is_not_taken_to_the_lane(presence: Presence) -> None:
    lane = Known(UP, "lane")
    desk = FailoverDesk(RemoteDesk(Line(Proxy([silence]), presence)), cast(Desk, lane))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(desk.ask(INQUIRY), 0.05)
    assert lane.asked == 0
