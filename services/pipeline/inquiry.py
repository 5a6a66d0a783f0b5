"""What is asked of the pipeline, as it crosses processes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from facesocial.capabilities import Task
from services.deadline import Deadline


class Cost(StrEnum):
    """What an inquiry costs, roughly: light is up to a second of this CPU, heavy is more."""

    LIGHT = "light"
    HEAVY = "heavy"


DEAR = frozenset({Task.DEEPFAKE, Task.MESH})


@dataclass(frozen=True, slots=True)
class EncodedImage:
    """A picture as it was sent; `declared` is its media type in lower case, empty when none was given."""

    content: bytes
    declared: str


@dataclass(frozen=True, slots=True)
class Inquiry:
    """Pictures that belong together: the same models answer all of them, whatever is activated meanwhile.

    Attributes:
        request_id: for the log.
        images: JPEG, PNG or WebP.
        deadline: of whoever asks.
        tasks: what to do with each face; None: what the configuration names, as far as it is installed.
        min_score: of a face; None: the detector's own.
        max_faces: best first.
        largest_only: tasks are done with the largest face of each picture alone.
    """

    request_id: str
    images: tuple[EncodedImage, ...]
    deadline: Deadline
    tasks: tuple[Task, ...] | None = None
    min_score: float | None = None
    max_faces: int = 100
    largest_only: bool = False

    @property
    def cost(self) -> Cost:
        """Heavy: several tasks on every face, or one of the dear ones."""
        several = self.tasks is None or (len(self.tasks) > 1 and not self.largest_only)
        return Cost.HEAVY if several or DEAR.intersection(self.tasks or ()) else Cost.LIGHT
