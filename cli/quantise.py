"""`facesocial models quantise`: int8 variants for the CPU, kept where they pay."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

if TYPE_CHECKING:  # OpenCV, ONNX Runtime and BentoML are slow to import; `--help` does without them
    from cli.bench.calibration import Ensemble
    from cli.bench.int8 import Judge
    from cli.bench.int8_table import Trial
    from models.library import Library
    from models.spec import ModelSpec
    from models.store import InstalledModel

NOTES = """\
Each network and its QDQ variant with the service's session options ({threads} threads, no spinning), in blocks that
take turns within one process: medians, and the median of the quotients; batch 6 where the service batches. Figures go
through the pipeline with the other networks in float32. Kept where the gain is at least {speedup} × at every batch size
and the loss at most 0.2 points of LFW accuracy, or 1 % of the capability's own figure. {calibration}
The mesh is a MediaPipe task, not ONNX: there is nothing to quantise."""


def quantise(
    calibration: Annotated[Path, typer.Option(exists=True, file_okay=False, help="Pictures; none of them is stored.")],
    names: Annotated[list[str] | None, typer.Argument(help="Installed models; none: the default pack's.")] = None,
    data: Annotated[
        Path | None, typer.Option(exists=True, file_okay=False, help="Evaluation data; without it none is judged.")
    ] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Register also what does not pay, or was not judged.")] = False,
    write: Annotated[Path | None, typer.Option(help="Markdown file whose section is replaced.")] = None,
) -> None:
    """Quantise networks to int8, measure what that gains and costs, and register what pays as NAME_int8."""
    from cli.bench.int8 import Judge
    from cli.bench.int8_table import SPEEDUP, markdown
    from cli.bench.machine import Machine
    from cli.bench.report import write_section
    from facesocial.configuration import CpuSettings
    from models.library import Library

    library, machine, progress = Library.open(), Machine.here(), Console(stderr=True)
    ensemble = _ensemble(library)
    chosen = [_network(library, name) for name in names or ()] or _pack(ensemble)
    judge = Judge(data) if data else None
    trials, kept = [], []
    for model in chosen:
        with progress.status("") as status:
            trial, variant, content = _try(ensemble, model, calibration, judge, status.update)
        trials.append(trial)
        progress.print(f"{model.spec.name}: {trial.describe()}", highlight=False, soft_wrap=True)
        if trial.pays or keep:
            registered = library.store.register(variant, content)
            kept.append(model.spec.name)
            progress.print(f"{registered.tag} is installed and serves once activated", highlight=False, soft_wrap=True)
    notes = NOTES.format(
        threads=CpuSettings().session_threads, speedup=SPEEDUP, calibration=_describe(calibration, data)
    )
    text = markdown(trials, kept, machine, notes)
    typer.echo(text)
    if write is not None:
        write_section(write, "int8", text)
        progress.print(f"wrote the section into {write}", highlight=False, soft_wrap=True)


def _ensemble(library: Library) -> Ensemble:
    """The default pack in float32, by capability.

    Raises:
        ModelNotInstalled: a model of it is missing.
    """
    from facesocial.capabilities import Capability
    from facesocial.errors import ModelNotInstalled
    from models.catalogue import load_catalogue

    pack = load_catalogue().pack(load_catalogue().default_pack)
    found = {Capability(spec.capability): library.store.find(spec) for spec in pack}
    models = {capability: model for capability, model in found.items() if model}
    if len(models) < len(found):
        raise ModelNotInstalled("quantising needs the default pack beside the network: run `facesocial models pull`")
    return models


def _pack(ensemble: Ensemble) -> list[InstalledModel]:
    """Its networks; the mesh is none."""
    from models.formats import Format

    return [model for model in ensemble.values() if model.path.name == Format.ONNX]


def _network(library: Library, name: str) -> InstalledModel:
    """An installed network that can be quantised.

    Raises:
        ModelNotInstalled: there is none of this name.
        ModelError: it is no ONNX file, or int8 already, or no capability's.
    """
    from facesocial.errors import ModelError
    from models.formats import Format

    model = library.store.get(name)
    if model.path.name != Format.ONNX:
        raise ModelError(f"{model.tag} is a MediaPipe task, not ONNX: there is nothing to quantise")
    if model.spec.quantisation is not None:
        raise ModelError(f"{model.tag} is int8 already")
    if model.spec.obstacle:
        raise ModelError(f"{model.tag} cannot be served: {model.spec.obstacle}")
    return model


def _try(
    ensemble: Ensemble, model: InstalledModel, calibration: Path, judge: Judge | None, say: Callable[[str], None]
) -> tuple[Trial, ModelSpec, bytes]:
    """Quantise one network and measure it, in a store of its own; gives the entry and the file of the variant too."""
    from cli.bench.calibration import pictures, record
    from cli.bench.int8 import times
    from cli.bench.int8_table import Trial
    from facesocial.capabilities import Capability
    from models.store import Store
    from runners.quantisation import quantise

    spec, capability = model.spec, Capability(model.spec.capability)
    before = {**ensemble, capability: model}
    say(f"{spec.name}: looking at the calibration pictures …")
    samples = record(before, capability, pictures(calibration))
    say(f"{spec.name}: quantising with {len(samples)} inputs …")
    content, quantisation = quantise(model.read(), samples, spec.architecture)
    with tempfile.TemporaryDirectory(prefix="facesocial-int8-") as folder:
        staged = Store(Path(folder)).register(spec.quantised(quantisation, ""), content)
        say(f"{spec.name}: measuring time …")
        spent = times(model, staged, samples)
        say(f"{spec.name}: measuring accuracy, which takes minutes …")
        figures = judge.compare(capability, before, {**before, capability: staged}) if judge else ()
    trial = Trial(spec.name, model.path.stat().st_size, len(content), spent, figures)
    return trial, spec.quantised(quantisation, trial.describe()), content


def _describe(calibration: Path, data: Path | None) -> str:
    """How many pictures the ranges come from, and how many of them are judged too."""
    from cli.bench.calibration import pictures
    from cli.bench.datasets import judged

    contents = {file.read_bytes() for file in pictures(calibration)}
    both = sum(file.read_bytes() in contents for file in judged(data)) if data else 0
    return f"Calibrated on {len(contents)} pictures, {both or 'none'} of which are among the judged."
