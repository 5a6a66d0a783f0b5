"""`facesocial models …`: what is installed, what serves, and how both change."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn
from rich.table import Table

from facesocial.configuration import load_configuration
from facesocial.errors import DownloadError, FaceSocialError, ModelError, ModelIntegrityError, StoreNotWritable
from models.catalogue import load_catalogue, read_spec
from models.spec import ModelSpec

if TYPE_CHECKING:  # httpx and BentoML are slow to import; `--help` does without them
    from models import download
    from models.pull import Installer, Pulled
    from models.store import InstalledModel

app = typer.Typer(no_args_is_help=True, help="Pull, check and activate the models.")

AcceptLicense = Annotated[bool, typer.Option("--accept-license", help="Take weights not free for commercial use.")]
Alias = Annotated[str, typer.Argument(help="Such as face-detection.")]
Tag = Annotated[str, typer.Argument(help="NAME or NAME:VERSION, see `facesocial models list`.")]


class Bars:
    """A `models.pull.Report` that draws progress bars."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def file(self, label: str, /) -> download.Progress:
        """Adds a bar for a file."""
        task = self._progress.add_task(label, total=None)
        return lambda done, total: self._progress.update(task, completed=done, total=total)

    def step(self, text: str, /) -> None:
        """Prints what is being done."""
        self._progress.console.print(text, highlight=False)


@contextmanager
def _one_message() -> Iterator[None]:
    """Ends the command with the error's own words and exit code 1."""
    try:
        yield
    except FaceSocialError as error:
        typer.secho(f"error: {error}", err=True, fg=typer.colors.RED)
        raise typer.Exit(1) from error


@app.command()
@_one_message()
def pull(
    names: Annotated[list[str] | None, typer.Argument(help="Models or packs; none: the default pack.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="The whole catalogue.")] = False,
    accept_license: AcceptLicense = False,
    activate: Annotated[bool, typer.Option("--activate", help="Let these serve, also where others serve now.")] = False,
    or_starters: Annotated[
        bool, typer.Option("--or-starters", help="What cannot be had is no error while starter models stand in for it.")
    ] = False,
) -> None:
    """Download, convert, check and register models; those installed already cost nothing."""
    from models.pull import select

    specs = select(load_catalogue(), ["all"] if everything else names or [])
    with open_installer() as installer:
        try:
            pulled = installer.pull(specs, accept_licence=accept_license, activate=activate)
        except (DownloadError, StoreNotWritable) as error:
            if not or_starters:
                raise
            _console(stderr=True).print(stand_ins(error), style="dim", soft_wrap=True, highlight=False)
            return
    _print_pulled(pulled)


def stand_ins(error: ModelError) -> str:
    """Who serves although a pull failed, on what terms, and why it did.

    Raises:
        ModelError: `error`, where nobody stands in: the configuration forbids it.
    """
    from models.library import Library

    starters = Library.open(load_configuration().models.starter).standing_in()
    if not starters:
        raise error
    (terms,) = {model.spec.licence.name for model in starters.values()}
    why = next((line for line in str(error).splitlines() if "://" in line), str(error))
    return (
        f"the default pack cannot be had: {why}\n"
        f"starter models inside the package stand in for {', '.join(starters)} ({terms}; commercial use: no);"
        " `facesocial models pull` tries again and says more"
    )


@app.command("import")
@_one_message()
def import_files(
    files: Annotated[
        list[Path], typer.Argument(help="Every source file of the model, or zip packs such as buffalo_l.")
    ],
    name: Annotated[str | None, typer.Option("--as", help="The entry of the catalogue these files belong to.")] = None,
    spec: Annotated[Path | None, typer.Option("--spec", help="A new model: its entry, as YAML.")] = None,
    accept_license: AcceptLicense = False,
) -> None:
    """Install a model from local files, or every known model of zip packs; digests must be the catalogue's."""
    if spec is None and name is None and all(map(zipfile.is_zipfile, files)):
        _import_packs(files, accept_license)
        return
    if spec is not None and name is None:
        entry = read_spec(spec)
        if load_catalogue().find(entry.name):
            raise ModelError(f"the catalogue has a model named {entry.name} already; name yours differently")
    elif name is not None and spec is None:
        entry = load_catalogue().spec(name)
    else:
        raise typer.BadParameter("give either --as NAME or --spec FILE, or nothing but zip packs")
    with open_installer() as installer:
        pulled = installer.add(entry, files, accept_licence=accept_license)
    _print_pulled([pulled])


def _import_packs(files: Sequence[Path], accept_license: bool) -> None:
    with open_installer() as installer:
        packs = [installer.add_pack(file, accept_licence=accept_license) for file in files]
    _print_pulled([one for pack in packs for one in pack.pulled])
    for file, pack in zip(files, packs, strict=True):
        if not pack.known:
            typer.echo(
                f"{file.name} is no zip that the catalogue names; its files were told by their digests", err=True
            )
        if pack.skipped:
            typer.echo(f"not in the catalogue, skipped: {', '.join(pack.skipped)}", err=True)


@app.command()
@_one_message()
def verify() -> None:
    """Read every installed model again and compare it with what was registered."""
    from models.library import Library

    rows, damaged = [], 0
    for model in Library.open(load_configuration().models.starter).installed():
        try:
            model.verify()
        except ModelIntegrityError as error:
            damaged += 1
            rows.append((model.tag, model.sha256, str(error)))
        else:
            rows.append((model.tag, model.sha256, "ok"))
    _print_table(("model", "sha256", "state"), rows)
    if damaged:
        raise ModelIntegrityError(f"{damaged} of {len(rows)} models are not what was registered")


@app.command("list")
@_one_message()
def list_models(
    everything: Annotated[bool, typer.Option("--all", help="Also what the catalogue offers.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON array on stdout.")] = False,
) -> None:
    """Show what is installed, and what each alias serves."""
    from models.library import Library

    library = Library.open(load_configuration().models.starter)
    aliases = library.aliases_by_tag()
    rows = [_row(model.spec, model, aliases.get(model.tag)) for model in library.installed()]
    if everything:
        installed = {row["model"] for row in rows}
        rows += [_row(spec, None, None) for spec in load_catalogue().models if spec.name not in installed]
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    columns = ("tag", "model", "capability", "serves", "licence", "commercial", "verified", "weights", "packs")
    _print_table(columns, [tuple(_cell(row[column]) for column in columns) for row in rows])


@app.command()
@_one_message()
def activate(alias: Alias, tag: Tag) -> None:
    """Let an alias serve a model that is installed."""
    from models.library import Library

    model = Library.open().aliases.activate(alias, tag)
    typer.echo(f"{alias} serves {model.tag}")


@app.command()
@_one_message()
def rollback(alias: Alias) -> None:
    """Let an alias serve again what it served before."""
    from models.library import Library

    model = Library.open().aliases.rollback(alias)
    typer.echo(f"{alias} serves {model.tag}")


@app.command()
@_one_message()
def remove(tag: Tag) -> None:
    """Delete a model that no alias serves."""
    from models.library import Library

    typer.echo(f"removed {Library.open(load_configuration().models.starter).remove(tag)}")


@contextmanager
def open_installer() -> Iterator[Installer]:
    """An installer for this environment that draws a progress bar for each file on stderr."""
    from models.library import Library
    from models.pull import Installer

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=_console(stderr=True)) as progress:
        try:
            yield Installer(Library.open(), report=Bars(progress))
        finally:
            for task in progress.tasks:
                progress.update(task.id, visible=task.finished)  # a bar that will not move says nothing


def _row(spec: ModelSpec, model: InstalledModel | None, serves: str | None) -> dict[str, object]:
    return {
        "model": spec.name,
        "tag": model.tag if model else None,
        "sha256": model.sha256 if model else spec.served_sha256,
        "capability": str(spec.capability),
        "architecture": spec.architecture,
        "serves": [serves] if serves else [],
        "licence": spec.licence.name,
        "commercial": spec.licence.commercial,
        "packs": list(spec.packs),
        "verified": spec.verified,
        "weights": "int8" if spec.quantisation or spec.int8 else "float32",
        "obstacle": spec.obstacle,
        "threshold": spec.threshold.model_dump() if spec.threshold else None,
        "limits": spec.limits,
    }


def _cell(value: object) -> str:
    match value:
        case None:
            return "not installed"
        case bool():
            return "yes" if value else "no"
        case list():
            return ", ".join(map(str, value))
    return str(value)


def _print_pulled(pulled: Sequence[Pulled]) -> None:
    rows = [
        (
            one.model.tag,
            "installed" if one.fresh else "was installed",
            f"now serves {one.model.spec.alias}" if one.activated else "",
        )
        for one in pulled
    ]
    _print_table(("model", "state", "alias"), rows)


def _print_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*row)
    _console().print(table, highlight=False)


def _console(stderr: bool = False) -> Console:
    console = Console(stderr=stderr)
    if not console.is_terminal:
        console.width = 240  # a pipe has no width: cut nothing
    return console
