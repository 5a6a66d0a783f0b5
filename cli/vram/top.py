"""`facesocial vram top`: the cards of a running service, live."""

from __future__ import annotations

import time
from typing import Annotated, Any, Final

import typer
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from cli.vram.service import address, ask
from facesocial.errors import FaceSocialError, NotReady

PATH: Final = "/v1/admin/vram"
MEBIBYTE: Final = 1 << 20
WIDTH: Final = 56
"""Characters of the bar."""

LETTERS: Final = {"critical": ("C", "red"), "high": ("H", "yellow"), "flexible": ("F", "cyan")}
"""How each zone is drawn: readable without colour."""


LEGEND: Final = "~ estimated; held: leases; idle: seconds; GPU, CPU: answers; in, out: loads, evictions"


def top(
    url: Annotated[str | None, typer.Option(help="of the service; default: server.host and server.port")] = None,
    every: Annotated[float, typer.Option(min=0.1, max=60, help="seconds between two looks")] = 1.0,
    once: Annotated[bool, typer.Option("--once", help="print it once and end")] = False,
) -> None:
    """Who is on the cards of the running service: zones, models, leases, loads, evictions. Ctrl-C ends it."""
    service, console = address(url), Console()
    if once:
        console.print(draw(ask(service, PATH)))
        return
    seen = False
    with Live(console=console, screen=console.is_terminal, auto_refresh=False) as live:
        while True:
            try:
                live.update(draw(ask(service, PATH)), refresh=True)
            except NotReady as error:  # the process of the card is being started: that is worth watching, too
                live.update(Text(str(error)), refresh=True)
            except FaceSocialError as error:  # so is the edge, once it has been there
                if not seen:
                    raise
                live.update(Text(str(error)), refresh=True)
            else:
                seen = True
            time.sleep(every)


def draw(processes: list[dict[str, Any]]) -> RenderableType:
    """A bar and a table for each card."""
    cards = [(process["process"], card) for process in processes for card in process["cards"]]
    if not cards:
        return Text("The service uses no card: every model runs on the CPU (vram.gpu).")
    return Group(*(part for process, card in cards for part in (_headline(process, card), _bar(card), _models(card))))


def _headline(process: str, card: dict[str, Any]) -> Text:
    counts = card["counts"]
    answered = counts["answers"] + counts["spills"] + counts["failovers"]
    share = f"{counts['answers'] / answered:.0%} on the card" if answered else "nothing asked yet"
    text = f"{card['device']} ({card['name']}), {process}: {share}; policy {card['policy']}; "
    text += f"{counts['failovers']} failovers, {counts['out_of_memory']} out of memory"
    return Text(f"{text}; LOST: {card['lost']}" if card["lost"] else text, style="bold")


def _bar(card: dict[str, Any]) -> Text:
    """The budget: a letter of its zone for what each model is charged, `x` for what leaked, dots for what is free."""
    bar = Text()
    for zone, (letter, colour) in LETTERS.items():
        bar.append(letter * _columns(card, card["zones"][zone]["used"]), style=colour)
    bar.append("x" * _columns(card, card["leaked"] + card["unaccounted"]), style="magenta")
    bar.append("." * max(0, WIDTH - len(bar)), style="dim")
    zones = ", ".join(
        f"{letter} {zone} {_mib(card['zones'][zone]['used'])}/{_mib(card['zones'][zone]['guaranteed'])}"
        for zone, (letter, _) in LETTERS.items()
    )
    bar.append(f" {_mib(card['charged'])} of {_mib(card['budget'])} MiB\n{zones}; card free {_mib(card['free'])} MiB")
    return bar


def _columns(card: dict[str, Any], size: int) -> int:
    return round(WIDTH * size / card["budget"]) if card["budget"] else 0


def _models(card: dict[str, Any]) -> RenderableType:
    """In 80 columns: a line for each model, then why those that are not there are not."""
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("model", max_width=24, overflow="ellipsis", no_wrap=True)
    for name in ("zone", "state"):
        table.add_column(name, no_wrap=True)
    for name in ("MiB", "held", "req/s", "idle", "GPU", "CPU", "in", "out"):
        table.add_column(name, justify="right", no_wrap=True)
    for model in card["models"]:
        counts = model["counts"]
        known = model["profiled"] or model["measured"]
        table.add_row(
            model["tag"].partition(":")[0],
            LETTERS[model["zone"]][0] + (" pin" if model["pin"] else ""),
            model["state"],
            ("" if known else "~") + _mib(model["charged"] or model["size"]),
            str(model["leases"]),
            f"{model['rate']:.1f}",
            "–" if model["idle"] is None else f"{model['idle']:.0f}",
            str(counts["answers"]),
            str(counts["spills"] + counts["failovers"]),
            str(counts["loads"]),
            str(counts["evictions"]),
        )
    notes = [Text(f"{one['tag'].partition(':')[0]}: {one['note']}") for one in card["models"] if one["note"]]
    return Group(table, *notes, Text(LEGEND, style="dim"))


def _mib(size: int | None) -> str:
    return "?" if size is None else f"{size / MEBIBYTE:.0f}"
