"""`facesocial bench …`."""

from __future__ import annotations

import typer

from cli.bench import speed

app = typer.Typer(no_args_is_help=True)


@app.callback()
def bench() -> None:
    """Measure this machine."""


app.command("pipeline")(speed.pipeline)
app.command("decode")(speed.decode)
