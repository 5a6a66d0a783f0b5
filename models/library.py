"""The installed models as the rest of FaceSocial sees them: what serves a capability, what there is, what may go."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from facesocial.capabilities import Capability
from facesocial.errors import ModelError, ModelIntegrityError, ModelNotInstalled
from models import starter
from models.aliases import Aliases
from models.store import InstalledModel, Store, home


class Library:
    """A store and its aliases.

    Args:
        store: where the models are.
        starters: what no alias names is served by the models inside the package; False: they serve nothing, named or
            not.
    """

    def __init__(self, store: Store, starters: bool = False) -> None:
        self.store = store
        self.aliases = Aliases(store)
        self._starters = starter.starters(store.catalogue) if starters else {}

    @classmethod
    def open(cls, starters: bool = False) -> Library:
        """The library in the BentoML home of this environment."""
        return cls(Store(home()), starters)

    def generation(self) -> int:
        """Rises with every activation and rollback.

        Raises:
            ModelIntegrityError: the alias file is damaged.
        """
        return self.aliases.table().generation

    def resolve(self, capability: Capability) -> InstalledModel:
        """The model that serves this capability; its file is read by `InstalledModel.read` only, which checks it.

        Raises:
            ModelNotInstalled: none was activated, or it is gone, or is a starter model where those must not serve; the
                message holds the command that installs one.
            ModelIntegrityError: the alias file or the registration is damaged.
        """
        tag = self.aliases.resolve(capability.alias)
        if tag is None and capability in self._starters:
            return self._starters[capability]
        model = self.store.get(tag) if tag else None
        if model is None or (model.spec.is_starter and not self._starters):
            raise ModelNotInstalled(f"no model serves {capability.alias}; `facesocial models pull` installs one")
        return model

    def get(self, tag: str) -> InstalledModel:
        """The model of this tag, in the package or in the store; see `Store.get`.

        Raises:
            ModelNotInstalled: there is none.
            ModelIntegrityError: the entry is damaged.
        """
        inside = (model for model in self._starters.values() if tag in (model.tag, model.spec.name))
        return next(inside, None) or self.store.get(tag)

    def check(self, capabilities: Iterable[Capability]) -> None:
        """Passes when what serves these is intact; one that nothing serves is no damage.

        Raises:
            ModelIntegrityError: a file is not what was registered.
        """
        for capability in capabilities:
            with suppress(ModelNotInstalled):
                self.resolve(capability).verify()

    def installed(self) -> tuple[InstalledModel, ...]:
        """Every installed model, by tag; those inside the package always are."""
        everything = (*self._starters.values(), *self.store.installed())
        return tuple(sorted({model.tag: model for model in everything}.values(), key=lambda model: model.tag))

    def serving(self) -> dict[Capability, InstalledModel]:
        """What serves each capability; those that nothing serves are left out.

        Raises:
            ModelIntegrityError: as `resolve`.
        """
        found = {}
        for capability in Capability:
            with suppress(ModelNotInstalled):
                found[capability] = self.resolve(capability)
        return found

    def standing_in(self) -> dict[Capability, InstalledModel]:
        """The starter models among `serving`."""
        return {capability: model for capability, model in self.serving().items() if model.spec.is_starter}

    def aliases_by_tag(self) -> dict[str, str]:
        """The alias of each model that serves."""
        return {model.tag: capability.alias for capability, model in self.serving().items()}

    def remove(self, tag: str) -> str:
        """Deletes a model and gives its full tag. A damaged one goes by its full tag only.

        Raises:
            ModelNotInstalled: there is none of this tag.
            ModelIntegrityError: damaged, and not named in full.
            ModelError: an alias serves it, activate another first; or it is inside the package.
        """
        with self.aliases.hold():
            try:
                tag = self.store.get(tag).tag
            except ModelIntegrityError:
                if ":" not in tag:
                    raise
            if aliases := self.aliases.table().serving(tag):
                raise ModelError(f"{', '.join(aliases)} serves {tag}; activate another model first")
            if tag in {model.tag for model in self._starters.values()}:
                raise ModelError(f"{tag} is inside the package; `models.starter: false` keeps it from serving")
            self.store.remove(tag)
        return tag
