"""Putting the parts together opens nothing, and the parts belong together."""

from __future__ import annotations

import pytest

from bentos.composition import compose
from facesocial.capabilities import Capability
from facesocial.configuration import Configuration
from models.library import Library

pytestmark = pytest.mark.integration


def test_parts_serve_what_is_installed(library: Library) -> None:
    parts = compose(Configuration())
    assert all(parts.runners.has(capability) for capability in Capability)
    assert parts.inference._pipeline is parts.pipeline
    assert parts.inference._runners is parts.runners
    parts.inference.close()


def test_closing_ends_the_threads(library: Library) -> None:
    parts = compose(Configuration())
    parts.inference.close()
    with pytest.raises(RuntimeError, match="shutdown"):
        parts.inference._requests.submit(int)
    with pytest.raises(RuntimeError, match="shutdown"):
        parts.pipeline._side_by_side.submit(int)
