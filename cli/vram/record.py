"""`facesocial vram record`: what a running service was asked for, as a trace that `vram simulate` replays."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from cli.vram.service import address, ask


def record(
    file: Annotated[Path, typer.Argument(help="to write; with several processes that own cards, one file each")],
    url: Annotated[str | None, typer.Option(help="of the service; default: server.host and server.port")] = None,
) -> None:
    """Save the last requests of the running service: when, and for which model. Nothing else is in the file."""
    items = ask(address(url), "/v1/admin/vram/trace")
    console = Console(stderr=True)
    for item in items:
        target = file if len(items) == 1 else file.with_stem(f"{file.stem}-{item['process']}")
        target.write_text(item["trace"], "utf-8")
        console.print(f"{target}: {item['trace'].count(chr(10)) - 1} requests", highlight=False, soft_wrap=True)
    if not items:
        console.print("The service uses no card: nothing is recorded (vram.gpu).")
