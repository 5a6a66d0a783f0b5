"""A clock to turn, a question, and another of the same tenant."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from services.cache.keys import Question


@dataclass
class Clock:
    """Seconds, by hand."""

    now: float = 0.0

    def __call__(self) -> float:
        """What it shows."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """At zero."""
    return Clock()


@pytest.fixture
def question() -> Question:
    """About one picture."""
    return Question("anna", "/v1/detect", (b"picture",), {"max_faces": 3}, {"face-detection": "a:1"})
