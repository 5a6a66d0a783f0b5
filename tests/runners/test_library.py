"""The catalogue and the adapters speak of the same architectures."""

from __future__ import annotations

import pytest

from facesocial.capabilities import Capability
from models.catalogue import ADAPTERS
from runners.library import DETECTORS, FACE_ADAPTERS

pytestmark = pytest.mark.unit


def test_what_the_catalogue_serves_is_what_runners_read() -> None:
    """Nothing can be activated that the service cannot run, and nothing it can run is refused."""
    detectors = {(Capability.DETECTION, architecture) for architecture in DETECTORS}
    assert detectors | set(FACE_ADAPTERS) | {(Capability.MESH, "face_landmarker")} == ADAPTERS
