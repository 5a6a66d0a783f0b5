"""`facesocial init` and `facesocial config check`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from facesocial.configuration import find_file, load_configuration, template

app = typer.Typer(no_args_is_help=True)


@app.command("check")
def check(file: Annotated[Path | None, typer.Argument(help="default: the file in force")] = None) -> None:
    """Read the configuration and the environment, and print what would be in force."""
    chosen = file or find_file()
    configuration = load_configuration(chosen)
    typer.echo(f"# {chosen or 'no file, defaults'}: in order", err=True)
    typer.echo(configuration.model_dump_json(indent=2))


def init(folder: Annotated[Path, typer.Argument(help="where to write configuration.yaml")] = Path()) -> None:
    """Write a configuration.yaml with every setting, its default and what it means. An existing file is left alone."""
    target = folder / "configuration.yaml"
    if target.exists():
        load_configuration(target)
        typer.echo(f"{target} is there already and in order", err=True)
        return
    folder.mkdir(parents=True, exist_ok=True)
    target.write_text(template(), "utf-8")
    typer.echo(f"wrote {target}", err=True)
