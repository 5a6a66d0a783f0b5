"""`facesocial vram simulate`: policies in virtual time, on traces that were generated or recorded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from cli.bench.report import write_section
from cli.vram.contest_table import MEASURES, cell, markdown
from cli.vram.pictures import draw_residency, draw_shares
from vram_policy.budget import CONTEXT, HEADROOM
from vram_policy.choice import size_of
from vram_policy.simulation.catalogue import CARDS, CATALOGUE
from vram_policy.simulation.contest import REPORTING, Standing, compare, misses
from vram_policy.simulation.generators import GENERATORS, generate
from vram_policy.simulation.policies import OURS, POLICIES
from vram_policy.simulation.replay import replay
from vram_policy.simulation.trace import Trace, read_trace

SEEDS_MOST: Final = 100


def simulate(
    trace: Annotated[list[str] | None, typer.Option(help=f"{', '.join(GENERATORS)}, or a file; default: all")] = None,
    card: Annotated[list[str] | None, typer.Option(help="total memory, as 6GiB; default: 6GiB, 4GiB and 3GiB")] = None,
    policy: Annotated[list[str] | None, typer.Option(help=f"{', '.join(POLICIES)}; default: all")] = None,
    seeds: Annotated[int, typer.Option(min=1, max=SEEDS_MOST, help="of each generated trace")] = len(REPORTING),
    write: Annotated[
        Path | None, typer.Option(help="Markdown file whose section is replaced, pictures beside it")
    ] = None,
) -> None:
    """Replay traces of requests against eviction policies, and compare with the best that is possible."""
    names, cards, policies = trace or list(GENERATORS), card or list(CARDS), policy or list(POLICIES)
    for name in policies:
        if name not in POLICIES:
            raise typer.BadParameter(f"{name}: there are {', '.join(POLICIES)}")
    standings: list[Standing] = []
    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task("replaying", total=len(names) * len(cards))
        for one in cards:
            for name in names:
                progress.update(task, description=f"{name} on {one}")
                budget = _budget(one)
                traces = list(_traces(name, budget, REPORTING.start, seeds))
                standings += compare(traces, one, budget, {name: POLICIES[name] for name in policies})
                progress.advance(task)
    console = Console()
    for one in cards:
        console.print(_shares(one, [standing for standing in standings if standing.card == one]))
        console.print(_measures(one, [standing for standing in standings if standing.card == one]))
    for miss in misses(standings):
        console.print(f"[red]missed:[/red] {miss}")
    if write is not None:
        write_section(write, "vram", markdown(standings, seeds))
        draw_shares(standings, write.parent / "vram-shares.svg")
        _draw_thrash(write.parent / "vram-thrash.svg")
        typer.echo(f"wrote the section into {write}, pictures beside it", err=True)


def _budget(card: str) -> int:
    try:
        return size_of(card) - CONTEXT - HEADROOM
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def _traces(name: str, budget: int, first: int, seeds: int) -> Iterator[Trace]:
    if name not in GENERATORS:
        yield read_trace(Path(name))
        return
    for seed in range(first, first + seeds):
        yield generate(name, CATALOGUE, budget, seed)


def _shares(card: str, standings: Sequence[Standing]) -> Table:
    table = Table(title=f"{card}: net benefit, share of the best possible, mean / worst seed")
    traces = list(dict.fromkeys(one.trace for one in standings))
    for column in ("policy", *traces):
        table.add_column(column, justify="left" if column == "policy" else "right")
    for policy in dict.fromkeys(one.policy for one in standings):
        row = [cell(one) for one in standings if one.policy == policy]
        table.add_row(policy, *row, style="bold" if policy == OURS else None)
    return table


def _measures(card: str, standings: Sequence[Standing]) -> Table:
    table = Table(title=f"{card}: other measures, means over traces and seeds")
    table.add_column("policy")
    for column in MEASURES:
        table.add_column(column, justify="right")
    for policy in dict.fromkeys(one.policy for one in standings):
        own = [one for one in standings if one.policy == policy]
        table.add_row(policy, *(write(own) for write in MEASURES.values()), style="bold" if policy == OURS else None)
    return table


def _draw_thrash(file: Path) -> None:
    """Five minutes of ours and of LRU on a 6 GB card."""
    budget = _budget("6GiB")
    trace = generate("thrash", CATALOGUE, budget, REPORTING.start, duration=300)
    stays = {name: replay(trace, budget, POLICIES[name]).residencies for name in (OURS, "LRU")}
    draw_residency(trace, stays, file)
