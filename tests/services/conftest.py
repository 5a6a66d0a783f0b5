"""A detector that waits for the test, so that deadlines and queues need no sleeping; a Redis to stop and start."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from facesocial.capabilities import Capability
from facesocial.results import Face
from services.pipeline.picture import Picture
from services.pipeline.report import FaceReport, Report
from tests.redis_server import Redis


@dataclass
class GatedPipeline:
    """`detect` begins, then waits for `gate`; `began` counts."""

    gate: threading.Event = field(default_factory=threading.Event)
    entered: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    began: int = 0

    def on(self, runners: object) -> GatedPipeline:
        """The same."""
        return self

    def detect(self, picture: Picture, min_score: float | None, max_faces: int) -> Report:
        """One face, as large as the picture, `max_faces` times."""
        self.began += 1
        self.entered.release()
        assert self.gate.wait(30)
        face = Face((0.0, 0.0, float(picture.width), float(picture.height)), min_score or 0.9, None)
        return Report(
            picture.width,
            picture.height,
            (FaceReport(face),) * min(max_faces, 3),
            {Capability.DETECTION.alias: "a:1"},
            {Capability.DETECTION: "cpu"},
            {"detection": 0.001},
        )

    def close(self) -> Any:
        """Let everybody go."""
        self.gate.set()


@pytest.fixture
def gated() -> GatedPipeline:
    """A pipeline that waits."""
    return GatedPipeline()


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[Redis]:
    if not shutil.which("redis-server"):
        pytest.skip("redis-server is not installed")
    server = Redis(tmp_path)
    yield server
    server.stop()
