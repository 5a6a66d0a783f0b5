"""The `facesocial` command. Heavy imports happen inside the commands, so that `--help` and `config check` are quick."""

from __future__ import annotations

import signal
import sys

import typer

from cli import configuration, demo, models, quantise, serve
from cli.bench import main as bench
from cli.vram import main as vram
from facesocial.errors import FaceSocialError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Face AI as a service for a machine with a small GPU.",
)
app.command("init")(configuration.init)
app.command("serve")(serve.serve)
app.command("demo")(demo.demo)
models.app.command("quantise")(quantise.quantise)
app.add_typer(models.app, name="models", help="Pull, verify, list and activate models.")
app.add_typer(configuration.app, name="config", help="Look at the configuration.")
app.add_typer(vram.app, name="vram", help="Who lives on the card: plan, measure, simulate, watch.")
app.add_typer(bench.app, name="bench", help="Measure this machine; figures are ratios within one run.")


def _leave(number: int, _: object) -> None:
    """End as Ctrl-C does, through every `finally`: a demo that is killed takes its service along."""
    raise SystemExit(128 + number)


def main() -> None:
    """Run; an error of ours is one message and exit code 1, without a traceback."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _leave)
    try:
        app()
    except FaceSocialError as error:
        sys.stderr.write(f"facesocial: {error}\n")
        raise SystemExit(1) from error
