"""Which model each alias serves (`face-detection → yunet_n_dynamic:104ee26c71d5`), and which it served before.

One JSON file, `<home>/facesocial/aliases.json`, replaced whole under a lock. Its generation rises with every change:
one number tells whether anything is different.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import AbstractContextManager, suppress
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from facesocial.capabilities import Capability
from facesocial.errors import ModelError, ModelIntegrityError, ModelNotInstalled, UnknownModel
from models.lock import exclusive
from models.store import InstalledModel, Store

HISTORY: Final = 20
ALIASES: Final = tuple(capability.alias for capability in Capability)


class Served(BaseModel):
    """The tag an alias serves, and those it served before, the latest last."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tag: str
    history: tuple[str, ...] = ()


class AliasTable(BaseModel):
    """All aliases at one generation."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    generation: int = Field(default=0, ge=0)
    aliases: Mapping[str, Served] = {}

    def serving(self, tag: str) -> tuple[str, ...]:
        """The aliases that serve this tag."""
        return tuple(alias for alias, served in self.aliases.items() if served.tag == tag)


class Aliases:
    """The aliases of one store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._file = store.folder / "facesocial" / "aliases.json"

    def table(self) -> AliasTable:
        """The present table; empty before the first activation.

        Raises:
            ModelIntegrityError: the file is damaged.
        """
        try:
            return AliasTable.model_validate_json(self._file.read_bytes())
        except FileNotFoundError:
            return AliasTable()
        except ValidationError as error:
            raise ModelIntegrityError("the alias file is damaged; delete it and activate the models again") from error

    def resolve(self, alias: str) -> str | None:
        """The tag this alias serves; None: none was activated."""
        served = self.table().aliases.get(alias)
        return served.tag if served else None

    def hold(self) -> AbstractContextManager[None]:
        """Nothing is activated or rolled back while the block runs."""
        return exclusive(self._file.with_suffix(".lock"))

    def offer(self, alias: str, tag: str) -> bool:
        """As `activate`, where the alias serves nothing yet; whether it did."""
        _check_alias(alias)
        with self.hold():
            table = self.table()
            if free := alias not in table.aliases:
                self._write(table, alias, Served(tag=self._checked(alias, tag).tag))
        return free

    def activate(self, alias: str, tag: str) -> InstalledModel:
        """Lets the alias serve a model that is installed, intact and of the alias's capability.

        Serving it already is no change, and raises no generation.

        Raises:
            UnknownModel: no such alias.
            ModelNotInstalled: no such tag.
            ModelIntegrityError: the file is not what was registered.
            ModelError: the model does something else.
        """
        _check_alias(alias)
        with self.hold():
            table = self.table()
            model = self._checked(alias, tag)
            served = table.aliases.get(alias)
            if served is None:
                self._write(table, alias, Served(tag=model.tag))
            elif served.tag != model.tag:
                self._write(table, alias, Served(tag=model.tag, history=(*served.history, served.tag)[-HISTORY:]))
        return model

    def rollback(self, alias: str) -> InstalledModel:
        """Lets the alias serve again what it served before; earlier models that were removed since are passed over.

        Raises:
            UnknownModel: no such alias.
            ModelNotInstalled: no earlier model is installed.
            ModelIntegrityError: the earlier model's file is not what was registered.
        """
        _check_alias(alias)
        with self.hold():
            table = self.table()
            served = table.aliases.get(alias)
            history = list(served.history) if served else []
            while history:
                with suppress(ModelNotInstalled):
                    model = self._checked(alias, history.pop())
                    self._write(table, alias, Served(tag=model.tag, history=tuple(history)))
                    return model
        raise ModelNotInstalled(f"{alias} served no other model before that is still installed")

    def _checked(self, alias: str, tag: str) -> InstalledModel:
        model = self._store.get(tag)
        if model.spec.alias != alias:
            why = model.spec.obstacle or f"it is a model for {model.spec.capability}"
            raise ModelError(f"{model.tag} cannot be served as {alias}: {why}")
        model.verify()
        return model

    def _write(self, table: AliasTable, alias: str, served: Served) -> None:
        after = AliasTable(generation=table.generation + 1, aliases={**table.aliases, alias: served})
        part = self._file.with_suffix(".part")  # one writer: the lock is held
        with part.open("w", encoding="utf-8") as file:
            file.write(after.model_dump_json(indent=2) + "\n")
            file.flush()
            os.fsync(file.fileno())
        part.replace(self._file)


def _check_alias(alias: str) -> None:
    if alias not in ALIASES:
        raise UnknownModel(f"no alias named {alias!r}; there are {', '.join(ALIASES)}")
