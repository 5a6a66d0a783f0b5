"""The models inside the package: they serve what nothing else serves, without a network."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from facesocial.capabilities import Capability
from models.catalogue import Catalogue
from models.store import InstalledModel, Store


def packaged_file(name: str) -> Path:
    """Where a file of this name, see `Source.packaged`, lies in the package."""
    return Path(str(resources.files("models").joinpath("weights", name)))


def starters(catalogue: Catalogue) -> dict[Capability, InstalledModel]:
    """Those that the catalogue names, as they lie in the package."""
    found = {}
    for spec in catalogue.models:
        source = spec.sources[0]
        if source.packaged and isinstance(spec.capability, Capability):
            tag = Store.tag(spec.name, source.sha256)
            found[spec.capability] = InstalledModel(spec, tag, packaged_file(source.packaged), source.sha256)
    return found


def register(store: Store) -> tuple[InstalledModel, ...]:
    """Lists them in the model store beside the others; gives those that were not there.

    Raises:
        ModelIntegrityError: the installation is damaged.
        StoreNotWritable: the store cannot be changed.
    """
    missing = [model for model in starters(store.catalogue).values() if store.find(model.spec) is None]
    return tuple(store.register(model.spec, model.read()) for model in missing)
