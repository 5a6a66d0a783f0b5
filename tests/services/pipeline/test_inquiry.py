"""What an inquiry costs."""

from __future__ import annotations

import pytest

from facesocial.capabilities import Task
from services.deadline import Deadline
from services.pipeline.inquiry import Cost, Inquiry

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("tasks", "largest_only", "cost"),
    [
        ((), False, Cost.LIGHT),
        ((Task.EMBED,), False, Cost.LIGHT),
        ((Task.LIVENESS,), False, Cost.LIGHT),
        ((Task.DEMOGRAPHICS,), False, Cost.LIGHT),
        ((Task.EMBED, Task.LIVENESS), True, Cost.LIGHT),
        ((Task.EMBED, Task.LIVENESS), False, Cost.HEAVY),
        ((Task.DEEPFAKE,), False, Cost.HEAVY),
        ((Task.MESH,), False, Cost.HEAVY),
        ((Task.MESH,), True, Cost.HEAVY),
        (None, False, Cost.HEAVY),
    ],
)
def test_cost(tasks: tuple[Task, ...] | None, largest_only: bool, cost: Cost) -> None:
    """Detection, one task and verification are light; several tasks on every face and the dear ones are heavy."""
    assert Inquiry("an-id", (), Deadline(0, 30), tasks, largest_only=largest_only).cost is cost
