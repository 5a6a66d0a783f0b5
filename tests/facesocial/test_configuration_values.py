"""Values with which the service could never work are refused when they are read, in words that help."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from facesocial.configuration import MEBIBYTE, load_configuration
from facesocial.errors import ConfigurationError

pytestmark = pytest.mark.unit


@pytest.fixture
def load(tmp_path: Path):  # type: ignore[no-untyped-def]
    """Reads settings from a file."""

    def load(settings: dict[str, Any]):  # type: ignore[no-untyped-def]
        file = tmp_path / "configuration.yaml"
        file.write_text(json.dumps(settings))
        return load_configuration(file)

    return load


def test_two_of_the_largest_pictures_fit(load) -> None:  # type: ignore[no-untyped-def]
    """As base64 in one request; the message has the least that will do."""
    settings = {"limits": {"image_bytes": 10 * MEBIBYTE}, "admission": {"body_mib": 26}}
    with pytest.raises(ConfigurationError, match=r"admission\.body_mib: must be at least 27: two pictures"):
        load(settings)
    settings["admission"]["body_mib"] = 27
    assert load(settings).admission.body_mib == 27
