"""What docs/architecture.md says of a new architecture is so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from facesocial.capabilities import Capability
from models.catalogue import load_catalogue
from models.spec import ADAPTERS
from runners.detection.base import DetectionAdapter
from runners.library import DETECTORS

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parent.parent
SECTION = (
    (ROOT / "docs/architecture.md").read_text("utf-8").partition("### A new architecture")[2].partition("\n## ")[0]
)


def test_every_file_it_names_is_there() -> None:
    files = re.findall(r"`((?:runners|models|tests)/[\w/]+\.(?:py|yaml))`", SECTION)
    assert len(files) >= 7
    assert [file for file in files if not (ROOT / file).is_file()] == []


def test_its_example_is_registered_in_each_place() -> None:
    """The adapter by name, the catalogue's list, and an entry that can be activated."""
    spec = load_catalogue().spec("yolov10n_face")
    adapter = DETECTORS[spec.architecture](spec)
    assert isinstance(adapter, DetectionAdapter)
    assert type(adapter).__module__.replace(".", "/") + ".py" in SECTION
    assert (Capability.DETECTION, spec.architecture) in ADAPTERS
    assert spec.obstacle is None
    assert not spec.verified
