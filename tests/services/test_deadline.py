"""How long a caller waits."""

from __future__ import annotations

import asyncio
import time

import pytest

from facesocial.errors import DeadlineExceeded
from services.deadline import Deadline

pytestmark = pytest.mark.unit


async def test_what_is_done_in_time_comes_back() -> None:
    assert await Deadline.after(30).bound(asyncio.sleep(0, "done")) == "done"


async def test_r15_what_is_late_is_cancelled_and_the_words_name_the_callers_seconds() -> None:
    ended = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    with pytest.raises(DeadlineExceeded, match=r"^timeout expired: no answer within 0\.02 s$"):
        await Deadline.after(0.02).bound(work())
    assert ended.is_set()


async def test_r15_what_comes_too_late_is_not_begun() -> None:
    begun = []

    async def work() -> None:
        begun.append(True)

    with pytest.raises(DeadlineExceeded, match="no answer within 30 s"):
        await Deadline(time.monotonic() - 0.001, 30).bound(work())
    assert not begun
