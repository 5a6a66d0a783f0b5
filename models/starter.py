"""The models inside the package: they serve what nothing else serves, without a network."""

from __future__ import annotations

from models.catalogue import STARTER
from models.download import Downloader
from models.library import Library
from models.pull import Installer
from models.store import InstalledModel


def install(library: Library) -> tuple[InstalledModel, ...]:
    """Registers and activates the starter model of each capability that nothing serves; gives those that serve now.

    Nobody is asked to accept their terms, which every answer states: see `ModelSpec.caveat`.

    Raises:
        ModelError: the installation is damaged, or the alias file is.
        OSError: the store cannot be written.
    """
    served = library.aliases.table().aliases
    specs = [spec for spec in library.store.catalogue.models if STARTER in spec.packs and spec.alias not in served]
    if not specs:
        return ()
    installer = Installer(library, Downloader(library.store.folder, None))
    return tuple(pulled.model for pulled in installer.pull(specs, accept_licence=True) if pulled.activated)
