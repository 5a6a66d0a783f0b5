"""`facesocial vram plan`: what fits where on this machine's card, or on one that somebody thinks of buying."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Final, Literal, TypeAlias, get_args

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:  # ONNX Runtime and BentoML are slow to import; `--help` does without them
    from cli.vram.layout import Dweller, Layout
    from facesocial.configuration import Configuration

Placement: TypeAlias = Literal["embedded", "colocated", "isolated"]  # bentos.placement is slow to import
COLOURS: Final = {"critical": "red", "high": "yellow", "flexible": "green"}
CONTEXT, HEADROOM, FREE = "░", "·", " "


def plan(
    card: Annotated[
        str | None, typer.Option(help="6GiB, simulated:1GiB, or a name like 'RTX 3060 Laptop'; none: vram.gpu's.")
    ] = None,
    placement: Annotated[Placement | None, typer.Option(help="none: all three.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All installed models, not only those that serve.")] = False,
) -> None:
    """Show what fits on a card: contexts, zones, models, what takes turns and what runs on the CPU."""
    from cli.vram.cards import card_of
    from cli.vram.layout import lay_out
    from facesocial.configuration import load_configuration
    from vram_policy.device import cards
    from vram_policy.footprint import MEBIBYTE

    configuration = load_configuration()
    vram = configuration.vram
    word = card or (vram.gpu.partition(",")[0] if vram.gpu.startswith("simulated:") else None)
    chosen = card_of(word, cards())
    dwellers = _dwellers(configuration, chosen.name, everything)
    headroom = vram.headroom_mib * MEBIBYTE
    limit = None if vram.budget_mib is None else vram.budget_mib * MEBIBYTE
    wanted = (placement,) if placement else get_args(Placement)
    layouts = [lay_out(one, chosen.total, dwellers, headroom, limit) for one in wanted]
    console = Console()
    if not console.is_terminal:
        console.width = 240  # a pipe has no width: cut nothing
    console.print(f"{chosen.name}, {_mebibytes(chosen.total)}", highlight=False)
    console.print(_table(dwellers, layouts), highlight=False)
    for layout in layouts:
        console.print()
        for line in _picture(layout, dwellers):
            console.print(line, highlight=False, soft_wrap=True)
    console.print(f"\n{_legend(dwellers)}", highlight=False, soft_wrap=True)


def _dwellers(configuration: Configuration, card: str, everything: bool) -> list[Dweller]:
    """The networks that serve, or all that are installed and can be served.

    Raises:
        ModelNotInstalled: there is none.
    """
    from cli.vram.layout import Dweller
    from facesocial.capabilities import Capability
    from facesocial.errors import ModelNotInstalled
    from models.formats import Format
    from models.library import Library
    from runners.sessions import OnnxModel
    from services.residency import stands_of
    from vram_policy.zones import Stand

    library, stands = Library.open(configuration.models.starter), stands_of(configuration.vram)
    models = library.installed() if everything else library.serving().values()
    found = []
    for installed in models:
        spec = installed.spec
        if installed.path.name == Format.ONNX and isinstance(spec.capability, Capability):
            stand = stands.get(spec.name) or Stand(spec.zone, spec.pin)
            profile = OnnxModel(installed, configuration.cpu).profile(card)
            found.append(Dweller(spec.name, spec.capability, stand.zone, stand.pin, profile))
    if not found:
        raise ModelNotInstalled("there is no network to plan for; `facesocial models pull` installs some")
    return found


def _table(dwellers: Sequence[Dweller], layouts: Sequence[Layout]) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in ("", "model", "zone"):
        table.add_column(column)
    for column in ("weights MiB", "peak MiB"):
        table.add_column(column, justify="right")
    table.add_column("from")
    for layout in layouts:
        table.add_column(f"{layout.placement}: sum MiB", justify="right")
        table.add_column("stays")
    order = [place.dweller for place in layouts[0].places]
    for one in order:
        footprint = one.profile.footprint
        places = [next(place for place in layout.places if place.dweller is one) for layout in layouts]
        table.add_row(
            _letter(one, dwellers),
            one.name,
            Text(f"{one.zone}{', pinned' if one.pin else ''}", COLOURS[one.zone]),
            _number(footprint.weights),
            _number(footprint.peak),
            "measured" if one.profile.measured else "estimate",
            *(cell for place in places for cell in (_number(place.sum), str(place.stay))),
        )
    return table


def _picture(layout: Layout, dwellers: Sequence[Dweller]) -> list[Text]:
    """A line of figures, a bar of models, a bar of the zones' guarantees on the same scale."""
    from cli.vram.layout import CELLS, cells
    from vram_policy.zones import SHARES, share

    count = len(layout.budgets)
    figures = (
        f"{layout.placement}: {count} context{'s' * (count > 1)} {_mebibytes(layout.contexts)}, "
        f"headroom {_mebibytes(layout.headroom)}, budget {_mebibytes(layout.budget)}"
    )
    if count > 1:
        figures += f" ({', '.join(f'{name} {_number(budget)}' for name, budget in layout.budgets.items())})"
    if not layout.budget:
        return [Text(f"{figures}: too small, everything runs on the CPU")]
    models = [(one.profile.footprint.peak, _letter(one, dwellers), COLOURS[one.zone]) for one in layout.housed]
    zones = [(share(layout.budget, zone), zone[0], COLOURS[zone]) for zone in SHARES]
    lines = [Text(figures)]
    for title, parts in (("models", models), ("zones", zones)):
        line = Text(f"  {title:<7}│")
        *inner, end = cells([layout.contexts, *(size for size, _, _ in parts), layout.headroom], layout.total)
        signs = [(CONTEXT, "dim"), *((sign, style) for _, sign, style in parts)]
        for (sign, style), width in zip(signs, inner, strict=True):
            line.append(sign * width, style)
        line.append(FREE * (CELLS - sum(inner) - end))
        lines.append(line.append(HEADROOM * end, "dim").append("│"))
    return lines


def _legend(dwellers: Sequence[Dweller]) -> str:
    names = ", ".join(f"{_letter(one, dwellers)} {one.name}" for one in dwellers)
    return f"{CONTEXT} context  {HEADROOM} headroom  c critical, h high, f flexible: guarantees  {names}"


def _letter(one: Dweller, dwellers: Sequence[Dweller]) -> str:
    """A capital for each model; from the 27th on they begin again."""
    return chr(ord("A") + dwellers.index(one) % 26)


def _mebibytes(size: int) -> str:
    return f"{_number(size)} MiB"


def _number(size: int) -> str:
    return f"{size / (1 << 20):,.0f}"
