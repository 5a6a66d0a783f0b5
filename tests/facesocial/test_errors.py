"""The tree of errors is the one its docstring draws."""

from __future__ import annotations

import re

import pytest

from facesocial import errors
from facesocial.errors import FaceSocialError

pytestmark = pytest.mark.unit


def _subclasses(kind: type[FaceSocialError]) -> set[type[FaceSocialError]]:
    return {kind}.union(*(_subclasses(child) for child in kind.__subclasses__()))


def test_docstring_draws_every_error() -> None:
    """Nobody has to read the code to know the tree."""
    drawn = set(re.findall(r"[├└]── (\w+)", errors.__doc__ or "")) | {"FaceSocialError"}
    ours = {kind.__name__ for kind in _subclasses(FaceSocialError) if kind.__module__ == "facesocial.errors"}
    assert drawn == ours
