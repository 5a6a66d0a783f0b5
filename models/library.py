"""The installed models as the rest of FaceSocial sees them: what serves a capability, what there is, what may go."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from facesocial.capabilities import Capability
from facesocial.errors import ModelError, ModelIntegrityError, ModelNotInstalled
from models.aliases import Aliases
from models.store import InstalledModel, Store, home


class Library:
    """A store and its aliases.

    Args:
        store: where the models are.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self.aliases = Aliases(store)

    @classmethod
    def open(cls) -> Library:
        """The library in the BentoML home of this environment."""
        return cls(Store(home()))

    def generation(self) -> int:
        """Rises with every activation and rollback.

        Raises:
            ModelIntegrityError: the alias file is damaged.
        """
        return self.aliases.table().generation

    def resolve(self, capability: Capability) -> InstalledModel:
        """The model that serves this capability; its file is read by `InstalledModel.read` only, which checks it.

        Raises:
            ModelNotInstalled: none was activated, or it is gone; the message holds the command that installs one.
            ModelIntegrityError: the alias file or the registration is damaged.
        """
        tag = self.aliases.resolve(capability.alias)
        if tag is None:
            raise ModelNotInstalled(f"no model serves {capability.alias}; `facesocial models pull` installs one")
        return self.store.get(tag)

    def check(self, capabilities: Iterable[Capability]) -> None:
        """Passes when what serves these is intact; one that nothing serves is no damage.

        Raises:
            ModelIntegrityError: a file is not what was registered.
        """
        for capability in capabilities:
            with suppress(ModelNotInstalled):
                self.resolve(capability).verify()

    def installed(self) -> tuple[InstalledModel, ...]:
        """Every installed model, by tag."""
        return self.store.installed()

    def serving(self) -> dict[Capability, InstalledModel]:
        """What serves each capability; those that nothing serves are left out.

        Raises:
            ModelNotInstalled: an alias names a model that is gone.
            ModelIntegrityError: as `resolve`.
        """
        table = self.aliases.table()
        return {
            capability: self.store.get(table.aliases[capability.alias].tag)
            for capability in Capability
            if capability.alias in table.aliases
        }

    def remove(self, tag: str) -> str:
        """Deletes a model and gives its full tag. A damaged one goes by its full tag only.

        Raises:
            ModelNotInstalled: there is none of this tag.
            ModelIntegrityError: damaged, and not named in full.
            ModelError: an alias serves it; activate another first.
        """
        with self.aliases.hold():
            try:
                tag = self.store.get(tag).tag
            except ModelIntegrityError:
                if ":" not in tag:
                    raise
            if aliases := self.aliases.table().serving(tag):
                raise ModelError(f"{', '.join(aliases)} serves {tag}; activate another model first")
            self.store.remove(tag)
        return tag
