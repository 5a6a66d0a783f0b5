"""FaceSocial whose detector waits for the test, in whichever process it is: what tests of queues and ends serve."""

from __future__ import annotations

import os
from pathlib import Path

from services.pipeline.picture import Picture
from services.pipeline.pipeline import Pipeline
from services.pipeline.report import Report
from tests.bentos.gate import VARIABLE, pass_through

GATE = Path(os.environ[VARIABLE])

detect = Pipeline.detect


def detect_when_open(self: Pipeline, picture: Picture, min_score: float | None, max_faces: int) -> Report:
    """Tells the width of the picture, then waits."""
    pass_through(GATE, picture.width)
    return detect(self, picture, min_score, max_faces)


Pipeline.detect = detect_when_open  # type: ignore[method-assign]

from bentos.service import FaceSocial  # noqa: E402

__all__ = ["FaceSocial"]
