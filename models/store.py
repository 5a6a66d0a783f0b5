"""Installed models: entries of the BentoML model store, each one file that is checked again every time it is loaded.

An entry is registered as `<name>:<first 12 hex digits of the file's sha256>`; its folder holds `model.onnx` or
`model.task`, and its metadata all that serving needs without the catalogue and without a network.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pydantic import BaseModel, ConfigDict, ValidationError
from yaml import YAMLError

from facesocial.errors import ModelIntegrityError, ModelNotInstalled
from models import convert, formats
from models.catalogue import Catalogue, load_catalogue
from models.lock import exclusive
from models.spec import Digest, ModelSpec, Quantisation

if TYPE_CHECKING:  # importing bentoml takes over a second; `facesocial --help` must not
    from bentoml._internal.models.model import ModelStore

METADATA: Final = "facesocial"
VERSION_DIGITS: Final = 12


def home() -> Path:
    """BentoML's folder: BENTOML_HOME, or ~/bentoml."""
    return Path(os.path.expandvars(os.environ.get("BENTOML_HOME") or "~/bentoml")).expanduser()


class Registration(BaseModel):
    """What the store remembers of a model, as BentoML metadata."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    file: formats.Format
    sha256: Digest
    bytes: int
    sources: tuple[Digest, ...]
    converter: str | None = None
    quantisation: Quantisation | None = None
    licence: str
    commercial: bool
    pulled: datetime
    spec: dict[str, object]  # read only where the catalogue no longer has it: an older schema must not spoil the entry

    @property
    def version(self) -> str:
        """The part of the tag after the colon."""
        return self.sha256[:VERSION_DIGITS]

    @property
    def origin(self) -> tuple[object, ...]:
        """What made the file: two registrations of the same origin are interchangeable."""
        return self.sources, self.converter, self.quantisation


@dataclass(frozen=True, slots=True)
class InstalledModel:
    """One registered model.

    Attributes:
        spec: the catalogue's present entry if it still describes this file, else the one it was registered with.
        tag: `<name>:<version>`, as the BentoML store knows it.
        path: the served file, `model.onnx` or `model.task`.
        sha256: digest the file had when it was registered.
    """

    spec: ModelSpec
    tag: str
    path: Path
    sha256: str

    def read(self) -> bytes:
        """The content of the file, proven to be what was registered. A session is built from it, not from the path.

        Raises:
            ModelIntegrityError: missing, changed on disk, or not a self-contained model.
        """
        try:
            content = self.path.read_bytes()
        except OSError as error:
            raise ModelIntegrityError(f"the file of {self.tag} cannot be read; {self._remedy}") from error
        if hashlib.sha256(content).hexdigest() != self.sha256:
            raise ModelIntegrityError(f"the file of {self.tag} changed since it was registered; {self._remedy}")
        if formats.inspect(content) != self.path.name:
            raise ModelIntegrityError(f"the file of {self.tag} is not what its name says")
        return content

    @property
    def _remedy(self) -> str:
        return "install FaceSocial again" if self.spec.is_starter else "remove it and pull it again"

    def verify(self) -> None:
        """Reads and checks the file.

        Raises:
            ModelIntegrityError: as `read`.
        """
        self.read()


class Store:
    """The models under one BentoML home.

    Args:
        folder: BentoML's folder, see `home`.
        catalogue: whose entries describe the installed files; None: the one that ships with the package.
    """

    def __init__(self, folder: Path, catalogue: Catalogue | None = None) -> None:
        self.folder = folder
        self._catalogue = catalogue

    @property
    def catalogue(self) -> Catalogue:
        """The entries that can be pulled."""
        return self._catalogue or load_catalogue()

    @staticmethod
    def tag(name: str, sha256: str) -> str:
        """The tag of a file with this digest."""
        return f"{name}:{sha256[:VERSION_DIGITS]}"

    def installed(self) -> tuple[InstalledModel, ...]:
        """Every model of ours, by tag; what another program put there, or a registration cut off, is left out."""
        return tuple(model for model, _ in self._entries())

    def get(self, tag: str) -> InstalledModel:
        """The model of this tag; a name alone means the one registered last, a version may be shortened.

        Raises:
            ModelNotInstalled: there is none.
            ModelIntegrityError: the entry is damaged.
        """
        return self._entry(tag)[0]

    def find(self, spec: ModelSpec) -> InstalledModel | None:
        """The installed model made from the spec's present sources by the present converter, without hashing it."""
        origin = _registration(spec, formats.Format.ONNX, b"").origin
        same = [
            (entry.pulled, model)
            for model, entry in self._entries(spec.name)
            if entry.origin == origin and _size(model.path) == entry.bytes
        ]
        return max(same, key=lambda pair: pair[0])[1] if same else None

    def register(self, spec: ModelSpec, content: bytes) -> InstalledModel:
        """Puts a model into the store, or finds it there.

        Args:
            spec: what it is.
            content: the file that will be served, ONNX or a MediaPipe task.

        Raises:
            ModelIntegrityError: not a model, or not the bytes the spec names.
        """
        entry = _registration(spec, formats.inspect(content), content)
        if spec.served_sha256 not in (None, entry.sha256):
            raise ModelIntegrityError(f"the file has other bytes than the catalogue says of {spec.name}")
        tag = self.tag(spec.name, entry.sha256)
        with exclusive(self.folder / "facesocial" / "store.lock"):
            if present := self._intact(tag, entry):
                return present
            self._discard(tag)
            self._place(spec, tag, entry, content)
        return self.get(tag)

    def remove(self, tag: str) -> None:
        """Deletes the model of this full tag, damaged or not; whether it serves is asked by `Library.remove`."""
        with exclusive(self.folder / "facesocial" / "store.lock"):
            self._discard(tag)

    def _place(self, spec: ModelSpec, tag: str, entry: Registration, content: bytes) -> None:
        """Whole or not at all: BentoML copies file by file, and who reads meanwhile would find half of it."""
        from bentoml import models

        labels = {"app": METADATA, "capability": str(spec.capability), "zone": spec.zone}
        metadata = {METADATA: entry.model_dump(mode="json", exclude_none=True)}
        name, _, version = tag.partition(":")
        place = self.folder / "models" / name
        place.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self.folder / "facesocial", prefix="register-") as folder:
            with models.create(
                tag, labels=labels, metadata=metadata, _model_store=self._bento_store(Path(folder))
            ) as model:
                Path(model.path_of(entry.file)).write_bytes(content)
            made = Path(folder, name)
            (made / version).rename(place / version)
            (made / "latest").replace(place / "latest")

    def _intact(self, tag: str, wanted: Registration) -> InstalledModel | None:
        try:
            present, entry = self._entry(tag)
            present.verify()
        except (ModelNotInstalled, ModelIntegrityError):
            return None
        return present if entry.origin == wanted.origin else None

    def _discard(self, tag: str) -> None:
        from bentoml import models
        from bentoml.exceptions import NotFound

        for folder in (self.folder / "models" / tag.partition(":")[0]).glob("*/"):
            if not (folder / "model.yaml").exists():  # cut off half-way: BentoML's delete and list would fail on it
                shutil.rmtree(folder)
        with suppress(NotFound):
            models.delete(tag, _model_store=self._bento_store())

    def _entries(self, name: str = "*") -> Iterator[tuple[InstalledModel, Registration]]:
        # model.yaml is what makes a folder an entry; BentoML's own list fails on a folder that lacks it
        for file in sorted((self.folder / "models").glob(f"{name}/*/model.yaml")):
            with suppress(ModelNotInstalled):  # another program's model
                yield self._entry(f"{file.parent.parent.name}:{file.parent.name}")

    def _entry(self, tag: str) -> tuple[InstalledModel, Registration]:
        from bentoml import models
        from bentoml.exceptions import BentoMLException, NotFound

        missing = ModelNotInstalled(
            f"{tag} is not installed; `facesocial models pull {tag.partition(':')[0]}` installs it"
        )
        damaged = ModelIntegrityError(f"the registration of {tag} is damaged; remove it and pull it again")
        try:
            entry = models.get(tag, _model_store=self._bento_store())
        except (NotFound, ValueError) as error:  # ValueError: not a tag at all
            raise missing from error
        except (BentoMLException, YAMLError) as error:
            raise damaged from error
        if METADATA not in entry.info.metadata:
            raise missing
        try:
            registration = Registration.model_validate(entry.info.metadata[METADATA])
            spec = self._spec(registration)
        except ValidationError as error:
            raise damaged from error
        if spec.served_sha256 not in (None, registration.sha256) or entry.tag.version != registration.version:
            raise damaged
        model = InstalledModel(spec, str(entry.tag), Path(entry.path_of(registration.file)), registration.sha256)
        return model, registration

    def _spec(self, registration: Registration) -> ModelSpec:
        present = self.catalogue.find(registration.name)
        if present and _registration(present, registration.file, b"").origin == registration.origin:
            return present  # its thresholds and limits may be newer than the file
        return ModelSpec.model_validate(registration.spec)

    def _bento_store(self, folder: Path | None = None) -> ModelStore:
        """Ours, or another in `folder`."""
        os.environ.setdefault("BENTOML_DO_NOT_TRACK", "True")  # creating a model would call home
        from bentoml._internal.models.model import ModelStore

        models = folder or self.folder / "models"
        models.mkdir(parents=True, exist_ok=True)
        return ModelStore(models)


def _registration(spec: ModelSpec, file: formats.Format, content: bytes) -> Registration:
    return Registration(
        name=spec.name,
        file=file,
        sha256=hashlib.sha256(content).hexdigest(),
        bytes=len(content),
        sources=tuple(source.sha256 for source in spec.sources),
        converter=f"{spec.converter}@{convert.VERSION}" if spec.converter else None,
        quantisation=spec.quantisation,
        licence=spec.licence.name,
        commercial=spec.licence.commercial,
        pulled=datetime.now(UTC),
        spec=spec.model_dump(mode="json", exclude_none=True),
    )


def _size(path: Path) -> int | None:
    return path.stat().st_size if path.exists() else None
