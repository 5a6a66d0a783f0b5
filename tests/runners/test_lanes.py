"""Two threads run everything on a card, and a crowd waits in its line."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from runners.lanes import Lanes, lanes

pytestmark = pytest.mark.unit


def test_a_crowd_runs_on_two_threads() -> None:
    card, threads, inside, most, lock = Lanes("test"), set[str](), 0, 0, threading.Lock()

    def work() -> str:
        nonlocal inside, most
        with lock:
            inside += 1
            most = max(most, inside)
            threads.add(threading.current_thread().name)
        time.sleep(0.002)
        with lock:
            inside -= 1
        return "done"

    with ThreadPoolExecutor(16) as crowd:
        assert set(crowd.map(lambda _: card.run("high", work), range(64))) == {"done"}
    assert threads == {"test-0_0", "test-1_0"}
    assert most == 2


def test_an_error_is_the_callers_and_frees_the_lane() -> None:
    card = Lanes("test", threads=1)

    def fail() -> None:
        raise OSError("inside")

    for _ in range(3):
        with pytest.raises(OSError, match="inside"):
            card.run("critical", fail)
    assert card.run("critical", lambda: 1) == 1


def test_everywhere_is_each_thread_once_and_requests_go_on_meanwhile() -> None:
    """One lane at a time, so that a run never waits for a whole warm-up."""
    card, seen, met = Lanes("test"), list[str](), list[int]()

    def work() -> None:
        seen.append(threading.current_thread().name)
        met.append(requests.submit(card.run, "critical", lambda: 1).result(5))

    with ThreadPoolExecutor(1) as requests:
        card.everywhere(work)
    assert sorted(seen) == ["test-0_0", "test-1_0"]
    assert met == [1, 1]


def test_an_error_everywhere_is_raised_and_frees_the_lane() -> None:
    card = Lanes("test")

    def work() -> None:
        raise OSError("first")

    with pytest.raises(OSError, match="first"):
        card.everywhere(work)
    assert [card.run("high", lambda: 1) for _ in range(4)] == [1] * 4


def test_a_card_has_its_lanes_once_in_a_process() -> None:
    assert lanes(7) is lanes(7)
    assert lanes(7) is not lanes(8)
