"""`facesocial bench …`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from cli.bench import speed
from cli.bench.machine import Machine
from cli.bench.report import write_section
from cli.demo import sample

app = typer.Typer(no_args_is_help=True)


@app.callback()
def bench() -> None:
    """Measure this machine."""


app.command("pipeline")(speed.pipeline)
app.command("placements")(speed.placements)
app.command("edge")(speed.edge)
app.command("decode")(speed.decode)


@app.command("accuracy")
def accuracy(
    data: Annotated[
        Path, typer.Option(envvar="FACESOCIAL_TEST_DATA", exists=True, file_okay=False, help="the evaluation data")
    ],
    write: speed.Write = None,
) -> None:
    """Measure accuracy through the pipeline, and the thresholds that the catalogue states."""
    from cli.bench.accuracy_table import markdown
    from models.library import Library

    with Console(stderr=True).status("a few minutes …") as status:
        text = markdown(Library.open(), data, Machine.here(), status.update)
    typer.echo(text)
    if write is not None:
        write_section(write, "accuracy", text)
        typer.echo(f"wrote the section into {write}", err=True)


@app.command("batching")
def batching(
    calls: Annotated[int, typer.Option(min=8, help="timed calls of each way in each case, in all")] = 64,
    blocks: speed.Blocks = 4,
    callers: Annotated[list[int] | None, typer.Option(min=1, help="calls at once; may be repeated")] = None,
    write: speed.Write = None,
) -> None:
    """Measure what joining the calls of concurrent requests gains, for each network that serves."""
    from cli.bench.batching import CALLERS, batching, markdown

    machine = Machine.here()
    with Console(stderr=True).status("a few minutes …"):
        text = markdown(batching(sample(), calls, blocks, callers or CALLERS), machine)
    typer.echo(text)
    if write is not None:
        write_section(write, "batching", text)
        typer.echo(f"wrote the section into {write}", err=True)
