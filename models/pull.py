"""Installs models: licence → download → convert → check → register → first activation.

What is installed already costs no network and no hashing, so pulling is safe to repeat at every start.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from facesocial.errors import DownloadError, LicenceNotAccepted, ModelError, ModelIntegrityError
from models import archive, convert, formats
from models.catalogue import Catalogue
from models.download import HINT, Downloader, Progress, silent
from models.library import Library
from models.lock import exclusive
from models.mirror import Mirror
from models.spec import ModelSpec
from models.store import InstalledModel

Failure = tuple[ModelSpec, ModelError]


class Report(Protocol):
    """Who is told how a pull goes on."""

    def file(self, label: str, /) -> Progress:
        """A file begins; the result is called with bytes done and bytes in all."""

    def step(self, text: str, /) -> None:
        """Something else begins that takes a while."""


class Silent:
    """Tells nobody."""

    def file(self, _label: str, /) -> Progress:
        """Gives a progress that nobody sees."""
        return silent

    def step(self, _text: str, /) -> None:
        """Says nothing."""


@dataclass(frozen=True, slots=True)
class Pulled:
    """One model after a pull: `fresh` if it was not installed before, `activated` if its alias serves it since."""

    model: InstalledModel
    fresh: bool
    activated: bool


@dataclass(frozen=True, slots=True)
class Unpacked:
    """What came of a zip pack: the models, and the file names in it that the catalogue does not know.

    `known` is True when the zip is, byte for byte, one that the catalogue names.
    """

    pulled: tuple[Pulled, ...]
    skipped: tuple[str, ...]
    known: bool


def select(catalogue: Catalogue, names: Iterable[str]) -> tuple[ModelSpec, ...]:
    """The entries behind names of models and packs, each once; nothing means the default pack, `all` everything.

    Raises:
        UnknownModel: neither a model nor a pack.
    """
    chosen: dict[str, ModelSpec] = {}
    for name in tuple(names) or (catalogue.default_pack,):
        if name == "all":
            specs = catalogue.models
        elif name in catalogue.packs:
            specs = catalogue.pack(name)
        else:
            specs = (catalogue.spec(name),)
        chosen |= {spec.name: spec for spec in specs}
    return tuple(chosen.values())


def check_licences(specs: Iterable[ModelSpec]) -> None:
    """Passes when all of these permit commercial use.

    Raises:
        LicenceNotAccepted: some do not; each is named with its terms.
    """
    closed = [spec for spec in specs if spec.licence.needs_acceptance]
    if closed:
        terms = "\n".join(f"  {spec.name}: {spec.licence.name}. {spec.licence.note}".rstrip(" .") for spec in closed)
        raise LicenceNotAccepted(
            f"these weights are not free for commercial use; --accept-license takes them:\n{terms}"
        )


class Installer:
    """Puts models into a library.

    Args:
        library: where they go.
        downloader: None: from the hosts, or from the mirror that the environment names.
        report: who is told how it goes on.
    """

    def __init__(self, library: Library, downloader: Downloader | None = None, report: Report | None = None) -> None:
        self._library = library
        self._folder = library.store.folder / "facesocial"
        self._downloads = self._folder / "downloads"
        self._downloader = downloader or Downloader(self._downloads, Mirror.from_environment())
        self._report = report or Silent()

    def pull(
        self, specs: Sequence[ModelSpec], *, accept_licence: bool = False, activate: bool = False
    ) -> tuple[Pulled, ...]:
        """Installs what is not installed yet; its alias serves it if `activate` says so, or if it names nothing yet.

        A model that cannot be had does not keep the others from being installed.

        Raises:
            LicenceNotAccepted: before anything is fetched.
            ModelError: `activate` with two models for one alias.
            DownloadError, ModelIntegrityError, ConversionError: every failed model is named with the reason; ModelError
                when they failed in different ways.
        """
        if activate:
            _check_one_per_alias(specs)
        missing = [spec for spec in specs if self._library.store.find(spec) is None]
        if not accept_licence:
            check_licences(missing)
        failures = self._install(missing) if missing else ()
        fresh = {spec.name for spec in missing}
        models = [model for spec in specs if (model := self._library.store.find(spec))]
        pulled = tuple(Pulled(model, model.spec.name in fresh, self._activate(model, activate)) for model in models)
        if failures:
            raise _combined(failures)
        return pulled

    def add(self, spec: ModelSpec, files: Sequence[Path], *, accept_licence: bool = False) -> Pulled:
        """Installs a model from local copies of its sources, in any order; they are converted where the spec says so.

        Raises:
            LicenceNotAccepted: the terms were not accepted.
            ModelIntegrityError: a file is a link, is not one of the sources, or one is missing.
            ConversionError: the sources cannot be converted.
        """
        if not accept_licence:
            check_licences([spec])
        known = {source.sha256 for source in spec.sources}
        contents = {hashlib.sha256(content).hexdigest(): content for content in map(formats.read_regular, files)}
        if strangers := contents.keys() - known:
            raise ModelIntegrityError(f"not a file of {spec.name}: sha256 {', '.join(sorted(strangers))}")
        if absent := known - contents.keys():
            raise ModelIntegrityError(f"{spec.name} also needs the file with sha256 {', '.join(sorted(absent))}")
        self._folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="import-", dir=self._folder) as folder:
            copies = [Path(folder) / source.sha256 for source in spec.sources]
            for copy in copies:
                copy.write_bytes(contents[copy.name])
            model = self._register(spec, copies)
        return Pulled(model, True, self._activate(model, False))

    def add_pack(self, file: Path, *, accept_licence: bool = False) -> Unpacked:
        """Installs every model of the catalogue whose files are in a zip, told by their sha256, not by their names.

        Raises:
            LicenceNotAccepted: the terms of one were not accepted; nothing is installed.
            ModelIntegrityError: a link, no zip, larger than permitted, or it holds no model of the catalogue.
            ConversionError: sources cannot be converted.
        """
        catalogue = self._library.store.catalogue
        archives = {source.archive.sha256 for spec in catalogue.models for source in spec.sources if source.archive}
        wanted = {source.sha256 for spec in catalogue.models for source in spec.sources}
        self._folder.mkdir(parents=True, exist_ok=True)
        with (
            tempfile.TemporaryDirectory(prefix="import-", dir=self._folder) as name,
            formats.open_regular(file) as zipped,
        ):
            folder = Path(name)
            known = hashlib.file_digest(zipped, "sha256").hexdigest() in archives
            skipped = archive.sift(zipped, wanted, folder)
            here = {path.name for path in folder.iterdir()}
            specs = [spec for spec in catalogue.models if {source.sha256 for source in spec.sources} <= here]
            if not specs:
                raise ModelIntegrityError(
                    f"{file.name} holds no model of the catalogue: {', '.join(skipped) or 'empty'}"
                )
            if not accept_licence:
                check_licences(specs)
            pulled = tuple(self._take(spec, [folder / source.sha256 for source in spec.sources]) for spec in specs)
        return Unpacked(pulled, tuple(skipped), known)

    def _take(self, spec: ModelSpec, sources: Sequence[Path]) -> Pulled:
        present = self._library.store.find(spec)
        model = present or self._register(spec, sources)
        return Pulled(model, present is None, self._activate(model, False))

    def _install(self, specs: Sequence[ModelSpec]) -> Sequence[Failure]:
        failures: list[Failure] = []
        with exclusive(self._folder / "pull.lock"):  # a second pull waits, and finds the work done
            for spec in specs:
                if self._library.store.find(spec):
                    continue
                try:
                    self._register(spec, self._fetch(spec))
                except ModelError as error:
                    failures.append((spec, error))
            if not failures:  # else the next pull goes on from what is there
                shutil.rmtree(self._downloads, ignore_errors=True)
        return failures

    def _fetch(self, spec: ModelSpec) -> list[Path]:
        files: list[Path] = []
        failures: list[ModelError] = []
        for source in spec.sources:
            try:
                files.append(self._downloader.fetch(source, self._report.file(f"{spec.name}: {source.file_name}")))
            except (DownloadError, ModelIntegrityError) as error:
                failures.append(type(error)(f"{source.file_name}\n{error}"))
        if failures:
            kind = (
                ModelIntegrityError
                if any(isinstance(error, ModelIntegrityError) for error in failures)
                else DownloadError
            )
            raise kind("\n".join(str(error) for error in failures))
        return files

    def _register(self, spec: ModelSpec, sources: Sequence[Path]) -> InstalledModel:
        if spec.converter is None:
            return self._library.store.register(spec, sources[0].read_bytes())
        self._report.step(f"converting {spec.name}")
        with tempfile.TemporaryDirectory(prefix="convert-", dir=self._folder) as folder:
            target = Path(folder) / formats.Format.ONNX
            convert.convert(spec.converter, sources, target)
            return self._library.store.register(spec, target.read_bytes())

    def _activate(self, model: InstalledModel, replace: bool) -> bool:
        alias = model.spec.alias
        if alias is None:
            return False
        aliases = self._library.aliases
        if replace and aliases.resolve(alias) not in (None, model.tag):
            aliases.activate(alias, model.tag)
            return True
        return aliases.offer(alias, model.tag)


def _check_one_per_alias(specs: Sequence[ModelSpec]) -> None:
    aliases = [spec.alias for spec in specs if spec.alias]
    if twice := sorted({alias for alias in aliases if aliases.count(alias) > 1}):
        raise ModelError(f"one model at a time can be activated for {', '.join(twice)}; name one of them")


def _combined(failures: Sequence[Failure]) -> ModelError:
    kinds = {type(error) for _, error in failures}
    text = "\n".join(f"{spec.name} cannot be installed: {error}" for spec, error in failures)
    if DownloadError in kinds:
        text += f"\n{HINT}"
    return kinds.pop()(text) if len(kinds) == 1 else ModelError(text)
