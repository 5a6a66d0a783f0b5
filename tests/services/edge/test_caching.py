"""`Cache-Control` of a request."""

from __future__ import annotations

import pytest
from starlette.datastructures import Headers

from services.edge.caching import may_be_kept

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("values", [["no-store"], ["No-Store"], ["max-age=0,no-store"], ["no-cache", "a , no-store "]])
def test_no_store(values: list[str]) -> None:
    assert not may_be_kept(Headers(raw=[(b"cache-control", value.encode()) for value in values]))


@pytest.mark.parametrize("values", [[], [""], ["no-cache"], ["max-age=60"], ["x-no-store"]])
def test_anything_else(values: list[str]) -> None:
    assert may_be_kept(Headers(raw=[(b"cache-control", value.encode()) for value in values]))
