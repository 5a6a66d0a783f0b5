"""A process is there as long as it holds its lock; who waits for one that dies is told at once."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bentos.presence import Presence, hold
from facesocial.errors import ProcessLost

pytestmark = pytest.mark.unit

HOLDER = """
import sys, time
from pathlib import Path
from bentos.presence import hold
lock = hold(Path(sys.argv[1]))
print("held", flush=True)
time.sleep(60)
"""


@contextmanager
def holder(file: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock."""
    command = [sys.executable, "-c", HOLDER, str(file)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]) as process:
        assert process.stdout
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def until(presence: Presence, alive: bool) -> None:
    """Within five seconds."""
    deadline = time.monotonic() + 5
    while presence.alive is not alive:
        assert time.monotonic() < deadline
        time.sleep(0.005)


async def forever() -> None:
    """An answer that never comes."""
    await asyncio.sleep(3600)


async def test_nobody_there_is_known_at_once(tmp_path: Path) -> None:
    presence = Presence(tmp_path / "lock", "service")
    with pytest.raises(ProcessLost, match="service"):
        await presence.during(forever())


async def test_work_is_done_while_the_process_lives(tmp_path: Path) -> None:
    presence = Presence(tmp_path / "lock", "service")
    with holder(tmp_path / "lock"):
        await asyncio.to_thread(until, presence, True)
        assert await presence.during(asyncio.sleep(0.01, "answer")) == "answer"
        with pytest.raises(ZeroDivisionError):
            await presence.during(divide())


async def divide() -> float:
    """An answer that fails by itself."""
    return 1 / int("0")


async def test_r22_kill_9_ends_the_waiting_and_the_next_process_is_noticed(tmp_path: Path) -> None:
    """Three callers in flight, all told within half a second; nothing of their work is left behind."""
    presence = Presence(tmp_path / "lock", "service")
    with holder(tmp_path / "lock") as process:
        await asyncio.to_thread(until, presence, True)
        calls = [asyncio.create_task(presence.during(forever())) for _ in range(3)]
        await asyncio.sleep(0.05)
        process.send_signal(signal.SIGKILL)
        killed = time.monotonic()
        outcomes = await asyncio.wait_for(asyncio.gather(*calls, return_exceptions=True), 5)
        assert time.monotonic() - killed < 0.5
        assert [type(outcome) for outcome in outcomes] == [ProcessLost] * 3
        await asyncio.sleep(0)
        assert [task for task in asyncio.all_tasks() if "forever" in repr(task)] == []
    with holder(tmp_path / "lock"):
        await asyncio.to_thread(until, presence, True)
    await asyncio.to_thread(until, presence, False)


async def test_a_caller_who_gives_up_takes_the_work_along(tmp_path: Path) -> None:
    presence = Presence(tmp_path / "lock", "service")
    with holder(tmp_path / "lock"):
        await asyncio.to_thread(until, presence, True)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(presence.during(forever()), 0.05)
        assert [task for task in asyncio.all_tasks() if "forever" in repr(task)] == []


def test_one_process_at_a_time(tmp_path: Path) -> None:
    """The successor waits until the predecessor is gone, also past a hundred watchers' looks."""
    presences = [Presence(tmp_path / "lock", "service") for _ in range(20)]
    with holder(tmp_path / "lock") as first:
        until(presences[0], alive=True)
        first.kill()
    handle = hold(tmp_path / "lock")
    until(presences[-1], alive=True)
    handle.close()
    until(presences[-1], alive=False)
