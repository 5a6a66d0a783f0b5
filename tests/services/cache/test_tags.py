"""Which models serve, as the cache sees it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from models.library import Library
from models.store import Store
from services.cache import tags
from services.cache.tags import Tags

pytestmark = pytest.mark.unit


@pytest.fixture
def library(tmp_path: Path) -> Library:
    """Starter models serve."""
    return Library(Store(tmp_path), starters=True)


@pytest.fixture
def mend(tmp_path: Path) -> Callable[[], None]:
    """The alias file is damaged until this is called."""
    (tmp_path / "facesocial").mkdir()
    file = tmp_path / "facesocial" / "aliases.json"
    file.write_text("{")
    return file.unlink


async def test_alias_by_alias(library: Library) -> None:
    known = await Tags(library).now()
    assert known == {capability.alias: model.tag for capability, model in library.serving().items()}
    assert known["face-detection"].startswith("starter_detector:")


async def test_what_cannot_be_told_is_none_until_it_can(
    library: Library, mend: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tags, "FRESH_S", 0.0)
    known = Tags(library)
    assert await known.now() is None
    mend()
    assert await known.now()


async def test_it_is_not_read_at_every_request(library: Library, mend: Callable[[], None]) -> None:
    known = Tags(library)
    assert await known.now() is None
    mend()
    assert await known.now() is None
