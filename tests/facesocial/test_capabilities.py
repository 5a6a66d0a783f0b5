"""Capabilities, their aliases and the tasks that ask for them."""

from __future__ import annotations

import pytest

from facesocial.capabilities import Capability, Task

pytestmark = pytest.mark.unit


def test_every_capability_but_detection_has_one_task() -> None:
    """No capability is out of a caller's reach."""
    assert sorted(task.capability for task in Task) == sorted(set(Capability) - {Capability.DETECTION})


def test_aliases() -> None:
    """The names of design §4."""
    assert [capability.alias for capability in Capability] == [
        "face-detection",
        "face-recognition",
        "face-liveness",
        "face-deepfake",
        "face-demographics",
        "face-mesh",
    ]
