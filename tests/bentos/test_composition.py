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
    assert parts.desk.runners is parts.runners
    assert parts.desk.pipeline is parts.pipeline
    parts.desk.close()


def test_closing_ends_the_threads(library: Library) -> None:
    parts = compose(Configuration())
    parts.desk.close()
    with pytest.raises(RuntimeError, match="shutdown"):
        parts.desk.threads.submit(int)
    with pytest.raises(RuntimeError, match="shutdown"):
        parts.pipeline._side_by_side.submit(int)
