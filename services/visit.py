"""What an answer has to know of the request beside its form."""

from __future__ import annotations

from dataclasses import dataclass

from services.deadline import Deadline


@dataclass(frozen=True, slots=True)
class Visit:
    """Attributes:
    request_id: for the answer and the log.
    deadline: of the whole request, its upload included.
    upload_seconds: how long the body took.
    """

    request_id: str
    deadline: Deadline
    upload_seconds: float = 0.0
