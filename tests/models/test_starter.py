"""The models inside the package."""

from __future__ import annotations

from pathlib import Path

import pytest

from facesocial.capabilities import Capability
from facesocial.errors import DownloadError, LicenceNotAccepted, ModelIntegrityError
from models import starter
from models.catalogue import STARTER, ModelSpec, load_catalogue
from models.download import Downloader
from models.library import Library
from models.pull import Installer
from models.store import Store

pytestmark = pytest.mark.unit


@pytest.fixture
def own(tmp_path: Path) -> Library:
    """Empty."""
    return Library(Store(tmp_path / "home"))


def served(library: Library) -> dict[str, str]:
    """Capability → name of what serves it."""
    return {str(capability): model.spec.name for capability, model in library.serving().items()}


def pack() -> dict[str, str]:
    return {str(spec.capability): spec.name for spec in load_catalogue().pack(STARTER)}


def test_an_empty_store_is_served_by_them_and_the_second_time_nothing_happens(own: Library) -> None:
    assert {model.spec.name for model in starter.install(own)} == set(pack().values())
    assert served(own) == pack()
    own.check(Capability)
    generation = own.generation()
    assert starter.install(own) == ()
    assert own.generation() == generation


def test_what_serves_is_left_and_its_starter_is_not_even_registered(own: Library, mirror: Path) -> None:
    Installer(own).pull([load_catalogue().spec("yunet_n_dynamic")])
    starter.install(own)
    assert served(own) == pack() | {"detection": "yunet_n_dynamic"}
    assert "starter_detector" not in {model.spec.name for model in own.installed()}


def test_a_pulled_model_takes_their_place_and_a_rollback_gives_it_back(own: Library, mirror: Path) -> None:
    starter.install(own)
    (pulled,) = Installer(own).pull([load_catalogue().spec("yunet_n_dynamic")])
    assert pulled.activated
    assert served(own) == pack() | {"detection": "yunet_n_dynamic"}
    (second,) = Installer(own).pull([load_catalogue().spec("scrfd_500m")], accept_licence=True)
    assert not second.activated
    own.aliases.rollback("face-detection")
    assert served(own) == pack()


def test_pulled_by_name_their_terms_must_be_accepted(own: Library) -> None:
    installer = Installer(own)
    with pytest.raises(LicenceNotAccepted, match="starter_embedder: research and evaluation"):
        installer.pull(load_catalogue().pack(STARTER))
    assert len(installer.pull(load_catalogue().pack(STARTER), accept_licence=True)) == 5


@pytest.mark.parametrize(
    ("content", "error"), [(None, DownloadError), (b"other bytes", ModelIntegrityError)], ids=["missing", "changed"]
)
def test_a_damaged_installation_is_named(
    content: bytes | None, error: type[Exception], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing else than what the catalogue says is ever served."""
    (tmp_path / "starter").mkdir()
    monkeypatch.setattr("models.download.resources.files", lambda _: tmp_path)
    spec: ModelSpec = load_catalogue().spec("starter_detector")
    if content is not None:
        (tmp_path / "starter" / "starter_detector.onnx").write_bytes(content)
    with pytest.raises(error, match="install FaceSocial again"):
        Downloader(tmp_path, None).fetch(spec.sources[0])
