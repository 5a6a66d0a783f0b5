"""`facesocial vram profile`: what each model takes and costs, measured and kept with the model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:  # ONNX Runtime and BentoML are slow to import; `--help` does without them
    from models.library import Library
    from models.profiles import Measurement
    from models.store import InstalledModel

COLUMNS: Final = (
    "model", "on", "weights MiB", "peak MiB", "steady MiB", "kept MiB", "CPU ms, one", "CPU ms, most",
    "run ms, one", "run ms, most", "load s", "load CPU s", "unload ms",
)  # fmt: skip

NOTES: Final = """\
Each model in a fresh process, loaded twice: the first load, which brings the libraries along, is not counted. Weights:
after loading; peak: the most while every permitted shape ran; steady: afterwards; kept: not given back by closing the
session. *One* is a run of one face, or of a detector's largest canvas; *most* the largest batch ({batch} faces). CPU:
CPU time on the CPU; run: from call to return, where the session is. Load: opening and warming.

`simulated` is **the stand-in for a card, not a card**: sizes are the growth of the process's memory with a CPU
session, times are the CPU's. A simulated card charges these sizes; nothing follows from them for an NVIDIA card."""


def profile(
    names: Annotated[list[str] | None, typer.Argument(help="Installed models; none: those that serve.")] = None,
    device: Annotated[
        str | None, typer.Option(help="cpu or simulated:0 (both: for simulated cards), cuda:N; none: all there are.")
    ] = None,
    write: Annotated[Path | None, typer.Option(help="Markdown file whose section is replaced.")] = None,
) -> None:
    """Measure what models take and cost, each in a process of its own, and keep it with the model."""
    from cli.bench.machine import Machine
    from cli.bench.report import table, write_section
    from cli.bench.stage import child
    from cli.vram.measurement import environment, measure
    from facesocial.configuration import load_configuration
    from models.library import Library

    cpu, machine, progress = load_configuration().cpu, Machine.here(), Console(stderr=True)
    devices = _devices(device)
    models = _networks(Library.open(), names or ())
    rows = []
    for one in devices:
        for model in models:
            with progress.status(f"{model.spec.name} on {one} …"), child(environment(one)) as process:
                measurement = process.submit(measure, model.tag, one, cpu).result()
            rows.append(row(model.spec.name, one, measurement))
            progress.print(f"{model.tag}: kept for {_said(one)}", highlight=False, soft_wrap=True)
    _print(rows)
    if write is not None:
        text = f"## Footprints and costs\n\n{NOTES.format(batch=cpu.batch)}\n\n{machine}.\n\n{table(COLUMNS, rows)}"
        write_section(write, "vram-profile", text)
        progress.print(f"wrote the section into {write}", highlight=False, soft_wrap=True)


def row(name: str, device: str, measured: Measurement) -> tuple[str, ...]:
    """One line of the table."""
    sizes = (measured.weights, measured.peak, measured.steady, measured.kept)
    runs = (measured.cpu, measured.cpu_most, measured.gpu, measured.gpu_most)
    return (
        name,
        _said(device),
        *(f"{size / (1 << 20):.1f}" for size in sizes),
        *(f"{seconds * 1000:.1f}" for seconds in runs),
        f"{measured.load:.2f}",
        f"{measured.load_cpu:.2f}",
        f"{measured.unload * 1000:.0f}",
    )


def _said(device: str) -> str:
    return "simulated" if device == "cpu" else device


def _devices(asked: str | None) -> tuple[str, ...]:
    """Where to measure.

    Raises:
        BadParameter: no such device.
    """
    from vram_policy.device import cards

    real = tuple(f"cuda:{index}" for index, _ in enumerate(cards()))
    if asked is None:
        return ("cpu", *real[:1])
    if asked == "cpu" or asked.startswith("simulated"):
        return ("cpu",)
    if asked not in real:
        raise typer.BadParameter(f"there is no {asked} here; there are {', '.join(('cpu', *real))}")
    return (asked,)


def _networks(library: Library, names: Sequence[str]) -> list[InstalledModel]:
    """The models to measure; of those that serve, the networks.

    Raises:
        ModelNotInstalled: there is none of this name, or none serves.
        ModelError: it never runs on a card.
    """
    from facesocial.errors import ModelError, ModelNotInstalled
    from models.formats import Format

    if not names:
        serving = [model for model in library.serving().values() if model.path.name == Format.ONNX]
        if not serving:
            raise ModelNotInstalled("no model serves; `facesocial models pull` installs some")
        return serving
    models = [library.get(name) for name in names]
    for model in models:
        if model.path.name != Format.ONNX:
            raise ModelError(f"{model.tag} is a MediaPipe task, which runs on the CPU and takes nothing of a card")
    return models


def _print(rows: Sequence[Sequence[str]]) -> None:
    table = Table(box=None, pad_edge=False)
    for number, column in enumerate(COLUMNS):
        table.add_column(column, justify="right" if number > 1 else "left")
    for one in rows:
        table.add_row(*one)
    console = Console()
    if not console.is_terminal:
        console.width = 240  # a pipe has no width: cut nothing
    console.print(table, highlight=False)
