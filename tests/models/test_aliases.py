"""An alias names one intact model of its capability; changes are whole, counted, and can be taken back."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from facesocial.errors import ModelError, ModelIntegrityError, ModelNotInstalled, UnknownModel
from models.aliases import HISTORY, AliasTable
from models.library import Library
from models.spec import ModelSpec
from models.store import InstalledModel

pytestmark = pytest.mark.integration

Put = Callable[..., InstalledModel]


@pytest.fixture
def put(library: Library, make_onnx: Callable[..., bytes], make_spec: Callable[..., ModelSpec]) -> Put:
    """Registers a model of its own weight."""

    def register(name: str, value: float, **fields: object) -> InstalledModel:
        content = make_onnx(value)
        return library.store.register(make_spec(content, name=name, **fields), content)

    return register


def test_activation_and_rollback(library: Library, put: Put) -> None:
    first, second, third = put("first", 1), put("second", 2), put("third", 3)
    aliases = library.aliases
    assert aliases.resolve("face-detection") is None
    assert library.aliases.table().generation == 0

    for generation, model in enumerate((first, second, third), start=1):
        assert aliases.activate("face-detection", model.tag) == model
        assert aliases.resolve("face-detection") == model.tag
        assert library.aliases.table().generation == generation

    assert aliases.rollback("face-detection") == second
    assert aliases.rollback("face-detection") == first
    assert library.aliases.table().generation == 5
    with pytest.raises(ModelNotInstalled, match="served no other model"):
        aliases.rollback("face-detection")
    assert aliases.resolve("face-detection") == first.tag


def test_activating_what_serves_is_no_change(library: Library, put: Put) -> None:
    model = put("first", 1)
    for tag in (model.tag, "first", model.tag[:-3]):
        library.aliases.activate("face-detection", tag)
    assert library.aliases.table() == AliasTable.model_validate(
        {"generation": 1, "aliases": {"face-detection": {"tag": model.tag}}}
    )


def test_only_an_intact_model_of_the_capability_is_activated(library: Library, put: Put) -> None:
    mesh, quality, damaged = put("mesh", 1, capability="mesh"), put("q", 2, capability="quality"), put("bad", 3)
    damaged.path.write_bytes(mesh.read())
    for alias, tag, error in (
        ("face-detection", mesh.tag, ModelError),
        ("face-detection", quality.tag, ModelError),
        ("face-detection", damaged.tag, ModelIntegrityError),
        ("face-detection", "absent:1", ModelNotInstalled),
        ("face-quality", quality.tag, UnknownModel),
    ):
        with pytest.raises(error):
            library.aliases.activate(alias, tag)
    assert library.aliases.table().generation == 0


def test_rollback_passes_over_what_was_removed_and_refuses_what_was_changed(library: Library, put: Put) -> None:
    first, second, third, fourth = (put(f"m{number}", number) for number in range(4))
    for model in (first, second, third, fourth):
        library.aliases.activate("face-detection", model.tag)
    library.remove(third.tag)
    assert library.aliases.rollback("face-detection") == second
    first.path.write_bytes(second.read())
    with pytest.raises(ModelIntegrityError):
        library.aliases.rollback("face-detection")
    assert library.aliases.resolve("face-detection") == second.tag


def test_concurrent_writers_lose_no_change(library: Library, put: Put) -> None:
    """Each of 3 threads switches its own alias 10 times; readers never see half a file."""
    served = {"detection": "yunet", "demographics": "faceapi", "mesh": "face_landmarker"}
    pairs = {
        f"face-{capability}": (
            put(f"{capability}-a", 1, capability=capability, architecture=architecture),
            put(f"{capability}-b", 2, capability=capability, architecture=architecture),
        )
        for capability, architecture in served.items()
    }

    def switch(alias: str) -> None:
        for turn in range(10):
            library.aliases.activate(alias, pairs[alias][turn % 2].tag)
            library.aliases.table()

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(switch, pairs))

    table = library.aliases.table()
    assert table.generation == 30
    assert {alias: served.tag for alias, served in table.aliases.items()} == {
        alias: pair[1].tag for alias, pair in pairs.items()
    }
    assert all(len(served.history) == 9 <= HISTORY for served in table.aliases.values())


def test_a_damaged_alias_file_is_told(library: Library, put: Put) -> None:
    library.aliases.activate("face-detection", put("first", 1).tag)
    (library.store.folder / "facesocial" / "aliases.json").write_text('{"generation": -1}')
    with pytest.raises(ModelIntegrityError, match="alias file is damaged"):
        library.aliases.table()


def test_nothing_but_the_table_is_left_behind(library: Library, put: Put, tmp_path: Path) -> None:
    library.aliases.activate("face-detection", put("first", 1).tag)
    names = {path.name for path in (library.store.folder / "facesocial").iterdir()}
    assert names == {"aliases.json", "aliases.lock", "store.lock"}


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"architecture": "retinaface"}, "no adapter for retinaface"),
        ({"capability": "recognition", "architecture": "arcface"}, "no threshold"),
    ],
)
def test_what_the_service_cannot_run_is_not_activated(
    library: Library, put: Put, fields: dict[str, str], why: str
) -> None:
    """Else the next start would not become ready."""
    with pytest.raises(ModelError, match=why):
        library.aliases.activate(f"face-{fields.get('capability', 'detection')}", put("one", 1, **fields).tag)


def test_an_offer_is_taken_where_nothing_serves(library: Library, put: Put) -> None:
    first, second = put("first", 1), put("second", 2)
    assert library.aliases.offer("face-detection", first.tag)
    assert not library.aliases.offer("face-detection", second.tag)
    assert library.aliases.resolve("face-detection") == first.tag
    assert library.aliases.table().generation == 1
