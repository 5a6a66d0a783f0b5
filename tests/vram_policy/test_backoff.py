"""Twice as long each time, up to ten minutes."""

from __future__ import annotations

import pytest

from vram_policy.backoff import FIRST_SECONDS, LAST_SECONDS, Backoff

pytestmark = pytest.mark.unit


def test_it_holds_twice_as_long_each_time() -> None:
    """And no longer than the last."""
    backoff, now, pauses = Backoff(), 0.0, []
    assert not backoff.holds(now)
    for _ in range(7):
        backoff.fail(now)
        assert backoff.holds(backoff.until - 0.001)
        assert not backoff.holds(backoff.until)
        pauses.append(backoff.until - now)
        now = backoff.until
    assert pauses == [30, 60, 120, 240, 480, 600, 600]
    assert (FIRST_SECONDS, LAST_SECONDS) == (30, 600)


def test_it_is_forgotten_at_once() -> None:
    """What did well begins anew."""
    backoff = Backoff()
    backoff.fail(0.0)
    backoff.fail(0.0)
    backoff.clear()
    assert not backoff.holds(0.0)
    backoff.fail(0.0)
    assert backoff.until == FIRST_SECONDS
