"""Uploads damaged in every way: each gets its answer, none a 5xx, and none stays in memory."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final

import httpx
import pytest

from tests.bentos.conftest import Target
from tests.bentos.mutations import DAMAGES, FORMS, PICTURES, mutated
from tests.bentos.processes import workers
from tests.bentos.trim import resident
from tests.wire import code

CALLERS: Final = 4
WARM_UP: Final = 1000
MOST_GROWTH: Final = 20e6
"""Bytes of RSS."""


def grown(url: str, resident: Callable[[], int], count: int) -> tuple[Counter[str], int]:
    """What came of so many uploads (`200`, or a code), and how many bytes the processes grew by, after a warm-up."""
    with ThreadPoolExecutor(CALLERS) as pool:

        def send(seeds: Sequence[int]) -> Counter[str]:
            shares = ((url, seeds[caller::CALLERS]) for caller in range(CALLERS))
            return sum(pool.map(lambda share: answers(*share), shares), Counter())

        send(range(count, count + WARM_UP))
        before = resident()
        answered = send(range(count))
        return answered, resident() - before


def answers(url: str, seeds: Sequence[int]) -> Counter[str]:
    """Of one caller, on one connection."""
    answered: Counter[str] = Counter()
    with httpx.Client(base_url=url, timeout=60) as client:
        for seed in seeds:
            upload = mutated(seed)
            headers = {"Content-Type": upload.content_type}
            response = client.post(upload.route, content=upload.body, headers=headers)
            assert response.status_code in (200, 400, 413, 415, 422), (seed, response.text)
            answered["200" if response.status_code == 200 else code(response)] += 1
    return answered


@pytest.mark.integration
@pytest.mark.parametrize(
    "count", [5000, pytest.param(100_000, marks=[pytest.mark.load, pytest.mark.timeout(3600)])], ids=str
)
def test_damaged_uploads_are_answered_and_forgotten(target: Target, count: int) -> None:
    """I13 and R24 over HTTP: mostly to detection, for what differs between routes lies behind the decoder."""
    inner = [process.pid for process in workers(target.service).values()]
    answered, growth = grown(target.service.url, partial(resident, target.service.pid, *inner), count)
    print(f"{count} uploads: {dict(answered)}; RSS grew by {growth / 1e6:.1f} MB")  # noqa: T201 — for the note
    assert answered.total() == count
    assert {"200", "bad_request", "file_expected", "image_truncated", "unsupported_media_type"} <= answered.keys()
    assert answered["200"] > count / 50, "what was damaged lightly can still be read"
    assert growth < MOST_GROWTH


@pytest.fixture
def leaky() -> Iterator[tuple[str, int]]:
    """URL and process of `leaky.py`."""
    with socket.socket() as listener:
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # else each answer waits for 40 ms
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        command = [sys.executable, "-m", "uvicorn", "tests.bentos.leaky:app", "--fd", str(listener.fileno())]
        process = subprocess.Popen([*command, "--log-level", "warning"], pass_fds=[listener.fileno()])
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}", process.pid
        finally:
            process.terminate()
            process.wait(10)


@pytest.mark.integration
def test_a_leak_would_be_seen(leaky: tuple[str, int]) -> None:
    """The positive control."""
    url, pid = leaky
    assert grown(url, partial(resident, pid, pid), 1000)[1] > MOST_GROWTH


@pytest.mark.unit
def test_a_seed_is_an_upload_and_the_kinds_are_mixed() -> None:
    uploads = [mutated(seed) for seed in range(1000)]
    assert uploads == [mutated(seed) for seed in range(1000)]
    assert len({upload.body for upload in uploads}) > 900
    assert {upload.content_type for upload in uploads} == {form({"image": PICTURES[0]})[0] for form in FORMS.values()}
    assert {upload.route for upload in uploads} == {"/v1/detect", "/v1/analyze", "/v1/verify"}
    assert len(DAMAGES) == 5
