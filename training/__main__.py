"""`python -m training MODEL`: see `scripts/train`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import torch
import typer

from training import embedder as embedding
from training.portraits import portraits

WORK = Path(".cache/training")

app = typer.Typer(no_args_is_help=True, add_completion=False)
Data = Annotated[Path, typer.Option(envvar="FACESOCIAL_TEST_DATA", exists=True, file_okay=False)]


@app.callback()
def main(threads: int = 0) -> None:
    """Trains the starter models."""
    if threads:
        torch.set_num_threads(threads)


@app.command()
def embedder(data: Data, fold: int | None = None, crops: int = 160_000, steps: int = 8_000, work: Path = WORK) -> None:
    """The embedder, with a fold of LFW left out or on everything."""
    name = "embedder" if fold is None else f"embedder-without-{fold}"
    embedding.train(portraits(data, work), data, work / name, embedding.Plan(fold, crops, steps))


if __name__ == "__main__":
    app()
