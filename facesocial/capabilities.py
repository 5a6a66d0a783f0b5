"""The six things FaceSocial can say about a picture, and the alias each is served under."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Capability(StrEnum):
    """What a model does. The value is the name used in answers (`device`), metrics and the catalogue."""

    DETECTION = "detection"
    RECOGNITION = "recognition"
    LIVENESS = "liveness"
    DEEPFAKE = "deepfake"
    DEMOGRAPHICS = "demographics"
    MESH = "mesh"

    @property
    def alias(self) -> str:
        """The name an operator activates a model under, such as `face-detection`."""
        return f"face-{self.value}"


class Task(StrEnum):
    """What a caller may ask of each face on top of detection (`tasks=` of `/v1/analyze`)."""

    EMBED = "embed"
    LIVENESS = "liveness"
    DEEPFAKE = "deepfake"
    DEMOGRAPHICS = "demographics"
    MESH = "mesh"

    @property
    def capability(self) -> Capability:
        """The capability that answers this task."""
        return TASK_CAPABILITY[self]


TASK_CAPABILITY: Final[dict[Task, Capability]] = {
    Task.EMBED: Capability.RECOGNITION,
    Task.LIVENESS: Capability.LIVENESS,
    Task.DEEPFAKE: Capability.DEEPFAKE,
    Task.DEMOGRAPHICS: Capability.DEMOGRAPHICS,
    Task.MESH: Capability.MESH,
}
