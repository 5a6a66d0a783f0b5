"""The models inside the package."""

from __future__ import annotations

from pathlib import Path

import pytest

from facesocial.capabilities import Capability
from facesocial.errors import (
    DownloadError,
    LicenceNotAccepted,
    ModelError,
    ModelIntegrityError,
    ModelNotInstalled,
    StoreNotWritable,
)
from models import starter
from models.catalogue import load_catalogue
from models.download import Downloader
from models.library import Library
from models.pull import Installer
from models.spec import STARTER, ModelSpec, Quantisation
from models.store import Store

pytestmark = pytest.mark.unit


@pytest.fixture
def own(tmp_path: Path) -> Library:
    """Nothing is registered or activated."""
    return Library(Store(tmp_path / "home"), starters=True)


def served(library: Library) -> dict[str, str]:
    """Capability → name of what serves it."""
    return {str(capability): model.spec.name for capability, model in library.serving().items()}


def pack() -> dict[str, str]:
    return {str(spec.capability): spec.name for spec in load_catalogue().pack(STARTER)}


def test_they_serve_what_nothing_else_serves(own: Library) -> None:
    """From the package, whole, without a store."""
    assert served(own) == pack()
    own.check(Capability)
    assert {model.spec.name for model in own.installed()} == set(pack().values())
    assert not own.store.folder.exists()
    with pytest.raises(ModelNotInstalled):
        own.resolve(Capability.MESH)


def test_registered_they_are_listed_once_and_nothing_happens_the_second_time(own: Library) -> None:
    assert {model.spec.name for model in starter.register(own.store)} == set(pack().values())
    assert starter.register(own.store) == ()
    assert len(own.installed()) == len(own.store.installed()) == 5
    assert {model.tag for model in own.installed()} == {model.tag for model in own.store.installed()}
    assert own.generation() == 0


def test_h_a_store_that_cannot_be_written_is_served_all_the_same() -> None:
    """Nobody, root neither, makes a folder in /proc."""
    library = Library(Store(Path("/proc/facesocial")), starters=True)
    with pytest.raises(StoreNotWritable, match="BENTOML_HOME"):
        starter.register(library.store)
    assert len(library.resolve(Capability.RECOGNITION).read()) > 100_000


def test_a_pulled_model_takes_their_place_and_stays_chosen(own: Library, mirror: Path) -> None:
    """And a starter that an operator chose stays, too, whatever is pulled later."""
    starter.register(own.store)
    (pulled,) = Installer(own).pull([load_catalogue().spec("yunet_n_dynamic")])
    assert pulled.activated
    assert served(own) == pack() | {"detection": "yunet_n_dynamic"}
    own.aliases.activate("face-detection", "starter_detector")
    (again,) = Installer(own).pull([load_catalogue().spec("yunet_n_dynamic")])
    assert not again.activated
    assert served(own) == pack()
    own.aliases.rollback("face-detection")
    assert served(own)["detection"] == "yunet_n_dynamic"


def test_forbidden_they_serve_nothing_also_where_an_alias_names_them(own: Library) -> None:
    """Who may not use them commercially needs one switch."""
    starter.register(own.store)
    own.aliases.activate("face-liveness", "starter_liveness")
    forbidden = Library(own.store)
    for capability in Capability:
        with pytest.raises(ModelNotInstalled, match="models pull"):
            forbidden.resolve(capability)
    assert not forbidden.serving()
    assert not forbidden.standing_in()
    assert not forbidden.aliases_by_tag()
    assert len(own.standing_in()) == 5


def test_their_terms_are_said_by_what_is_made_of_them(own: Library) -> None:
    spec = own.resolve(Capability.RECOGNITION).spec
    made = Quantisation(method="any", calibration="0" * 64, samples=1)
    variant = spec.quantised(made, "")
    assert "research and evaluation; commercial use: no" in variant.caveat


def test_they_cannot_be_removed(own: Library) -> None:
    starter.register(own.store)
    with pytest.raises(ModelError, match="inside the package"):
        own.remove("starter_detector")


def test_pulled_by_name_their_terms_must_be_accepted(own: Library) -> None:
    installer = Installer(own)
    with pytest.raises(LicenceNotAccepted, match="starter_embedder: research and evaluation"):
        installer.pull(load_catalogue().pack(STARTER))
    assert len(installer.pull(load_catalogue().pack(STARTER), accept_licence=True)) == 5


@pytest.mark.parametrize(
    ("content", "error"), [(None, DownloadError), (b"other bytes", ModelIntegrityError)], ids=["missing", "changed"]
)
def test_a_damaged_installation_is_named(
    content: bytes | None, error: type[Exception], own: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing else than what the catalogue says is ever served."""
    (tmp_path / "weights" / "starter_detector").mkdir(parents=True)
    monkeypatch.setattr("models.starter.resources.files", lambda _: tmp_path)
    spec: ModelSpec = load_catalogue().spec("starter_detector")
    if content is not None:
        (tmp_path / "weights" / "starter_detector" / "model.onnx").write_bytes(content)
    with pytest.raises(error, match="install FaceSocial again"):
        Downloader(tmp_path, None).fetch(spec.sources[0])
    with pytest.raises(ModelIntegrityError, match="install FaceSocial again"):
        Library(own.store, starters=True).resolve(Capability.DETECTION).read()
