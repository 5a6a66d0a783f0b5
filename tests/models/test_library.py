"""A capability resolves to the activated model or to the command that installs one; a serving model stays."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from facesocial.capabilities import Capability
from facesocial.errors import ModelError, ModelIntegrityError, ModelNotInstalled
from models.library import Library
from models.store import InstalledModel

pytestmark = pytest.mark.integration


@pytest.fixture
def tiny(library: Library, make_onnx: Callable[..., bytes]) -> InstalledModel:
    return library.store.register(library.store.catalogue.models[0], make_onnx())


def test_nothing_activated_names_the_command(library: Library) -> None:
    with pytest.raises(ModelNotInstalled, match="no model serves face-mesh; `facesocial models pull` installs one"):
        library.resolve(Capability.MESH)


def test_the_activated_model_serves(library: Library, tiny: InstalledModel) -> None:
    library.aliases.activate("face-detection", tiny.tag)
    assert library.resolve(Capability.DETECTION) == tiny
    assert library.serving() == {Capability.DETECTION: tiny}
    assert library.aliases.table().generation == 1


def test_a_serving_model_that_is_gone_names_the_command(library: Library, tiny: InstalledModel) -> None:
    library.aliases.activate("face-detection", tiny.tag)
    library.store.remove(tiny.tag)
    with pytest.raises(ModelNotInstalled, match="`facesocial models pull tiny` installs it"):
        library.resolve(Capability.DETECTION)


def test_a_serving_model_is_not_removed(library: Library, tiny: InstalledModel) -> None:
    library.aliases.activate("face-detection", tiny.tag)
    with pytest.raises(ModelError, match="face-detection serves tiny"):
        library.remove("tiny")
    assert library.installed() == (tiny,)


def test_a_model_that_serves_nothing_is_removed(library: Library, tiny: InstalledModel) -> None:
    assert library.remove("tiny") == tiny.tag
    assert library.installed() == ()
    with pytest.raises(ModelNotInstalled):
        library.remove(tiny.tag)


def test_r34_a_serving_model_that_changed_is_found_before_the_start(library: Library, tiny: InstalledModel) -> None:
    """What nothing serves is no damage; what serves must be the file that was registered."""
    library.check([Capability.DETECTION])
    library.aliases.activate("face-detection", tiny.tag)
    library.check([Capability.DETECTION])
    tiny.path.write_bytes(tiny.path.read_bytes() + b"x")
    library.check([Capability.MESH])
    with pytest.raises(ModelIntegrityError, match="changed since it was registered"):
        library.check([Capability.MESH, Capability.DETECTION])
