"""Small banks, and the teachers' weights where they are at hand."""

from __future__ import annotations

import os

import pytest

CHUNK = 16


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> int:
    """Banks are made in chunks of 16."""
    monkeypatch.setattr("training.bank.CHUNK", CHUNK)
    return CHUNK


@pytest.fixture
def teachers() -> None:
    """The permissive pack can be had."""
    if not os.environ.get("FACESOCIAL_MODEL_MIRROR"):
        pytest.skip("FACESOCIAL_MODEL_MIRROR is not set: the teachers' weights are not here")
