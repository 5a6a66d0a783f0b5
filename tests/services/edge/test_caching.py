"""What a question depends on beside its form, and `Cache-Control` of a request."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from starlette.datastructures import Headers

from facesocial.configuration import Configuration
from services.cache.cache import ResultCache
from services.cache.tags import Tags
from services.edge.caching import Recall, may_be_kept
from services.edge.caller import CALLER
from services.edge.forms import ImageForm
from services.edge.upload import UploadedFile
from tests.services.edge.conftest import Sender
from tests.services.edge.counters import HERE

pytestmark = pytest.mark.unit

FORM = ImageForm(image=UploadedFile(b"picture", "image/png"))


@pytest.mark.parametrize(
    ("version", "settings", "same"),
    [
        ("1.0", {}, True),
        ("1.0", {"cache": {"ttl_s": 60}, "server": {"deadline_ms": 100}}, True),
        ("1.0", {"limits": {"faces_default": 99}}, False),
        ("1.0", {"limits": {"image_pixels": 256}}, False),
        ("1.0", {"models": {"tasks": ["embed"]}}, False),
        ("1.1", {}, False),
    ],
)
async def test_another_limit_default_or_version_is_another_question(
    send: Sender, monkeypatch: pytest.MonkeyPatch, version: str, settings: dict[str, Any], same: bool
) -> None:
    """To a cache that outlives this process. What changes no answer is the same one."""
    cache, library = ResultCache(Configuration().cache), SimpleNamespace(serving=dict)
    request, _ = send("image/png", b"")
    request.scope[CALLER] = HERE

    def recall(version: str, **settings: Any) -> Recall:
        monkeypatch.setattr("services.edge.caching.version", lambda _: version)
        return Recall(cache, Tags(library), Configuration.model_validate(settings))  # type: ignore[arg-type]

    first = await recall("1.0").find(request, FORM)
    second = await recall(version, **settings).find(request, FORM)
    assert first
    assert first.place
    assert second
    assert (second.place == first.place) is same


@pytest.mark.parametrize("values", [["no-store"], ["No-Store"], ["max-age=0,no-store"], ["no-cache", "a , no-store "]])
def test_no_store(values: list[str]) -> None:
    assert not may_be_kept(Headers(raw=[(b"cache-control", value.encode()) for value in values]))


@pytest.mark.parametrize("values", [[], [""], ["no-cache"], ["max-age=60"], ["x-no-store"]])
def test_anything_else(values: list[str]) -> None:
    assert may_be_kept(Headers(raw=[(b"cache-control", value.encode()) for value in values]))
