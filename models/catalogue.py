"""The catalogue: every model that can be had, by name and by pack."""

from __future__ import annotations

from functools import cache
from importlib import resources
from pathlib import Path

import yaml
from pydantic import ValidationError, field_validator, model_validator

from facesocial.errors import ConfigurationError, UnknownModel
from models.spec import Entry, ModelSpec


class Catalogue(Entry):
    """All entries, in file order."""

    models: tuple[ModelSpec, ...]
    default_pack: str = "permissive"

    @model_validator(mode="after")
    def _names_are_unique(self) -> Catalogue:
        names = [spec.name for spec in self.models]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"named twice: {', '.join(twice)}")
        return self

    @field_validator("models")
    @classmethod
    def _not_empty(cls, models: tuple[ModelSpec, ...]) -> tuple[ModelSpec, ...]:
        if not models:
            raise ValueError("the catalogue is empty")
        return models

    def spec(self, name: str) -> ModelSpec:
        """The entry of this name.

        Raises:
            UnknownModel: there is none.
        """
        if spec := self.find(name):
            return spec
        raise UnknownModel(f"no model named {name!r} in the catalogue; `facesocial models list --all` shows them")

    def find(self, name: str) -> ModelSpec | None:
        """The entry of this name, or None."""
        return next((spec for spec in self.models if spec.name == name), None)

    @property
    def packs(self) -> tuple[str, ...]:
        """Names of all packs, in file order."""
        return tuple(dict.fromkeys(pack for spec in self.models for pack in spec.packs))

    def pack(self, name: str) -> tuple[ModelSpec, ...]:
        """The entries of a pack.

        Raises:
            UnknownModel: no entry belongs to it.
        """
        members = tuple(spec for spec in self.models if name in spec.packs)
        if not members:
            raise UnknownModel(f"no pack named {name!r} in the catalogue")
        return members


def read_spec(path: Path) -> ModelSpec:
    """One entry, written as in `catalogue.yaml`, from a file of the user's.

    Raises:
        ConfigurationError: the file cannot be read or a field is wrong; the message names it.
    """
    try:
        return ModelSpec.model_validate(yaml.safe_load(path.read_text("utf-8")))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigurationError(f"{path.name} cannot be read as YAML") from error
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
        raise ConfigurationError(f"{path.name} does not describe a model: {wrong}") from error


@cache
def load_catalogue() -> Catalogue:
    """The catalogue that ships with the package, read once."""
    text = resources.files("models").joinpath("catalogue.yaml").read_text("utf-8")
    return Catalogue.model_validate(yaml.safe_load(text))
