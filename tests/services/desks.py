"""A desk with a pipeline of the test's."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

from facesocial.capabilities import Capability
from facesocial.configuration import Configuration
from runners.serving import Serving
from services.pipeline.desk import LocalDesk
from services.pipeline.turns import Turns, Watch
from tests.runners.fakes import FakeDetector

SERVING = Serving(0, {Capability.DETECTION: FakeDetector("yunet:1", lambda: None)}, {})


def gated_desk(
    pipeline: Any, configuration: Configuration, places: int = 1, watch: Watch = lambda _, __: None
) -> LocalDesk:
    """A detector serves, and `pipeline` stands in its place; so many run at the same time."""
    runners: Any = SimpleNamespace(serving=SERVING)
    readiness: Any = SimpleNamespace(state=None, close=lambda: None)
    turns = Turns(configuration.admission, places, watch)
    return LocalDesk(runners, pipeline, readiness, configuration, turns, ThreadPoolExecutor(places))
