"""Runs a converted graph on a picture whose answers are known, so that a broken conversion is never registered.

`probes.json` holds what the published network answers, measured once by onnxruntime on a reference conversion made with
the authors' framework; a test measures it again. Here `onnx.reference` computes: only `runners/` imports onnxruntime.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Final

import numpy as np
import numpy.typing as npt
import onnx
from onnx.reference import ReferenceEvaluator
from pydantic import BaseModel, ConfigDict, Field

from facesocial.errors import ConversionError
from models.convert.weights import Array

TOLERANCE: Final = 1e-4
"""Largest difference of any output from the published network, in that output's unit."""

_BATCH: Final = 2
_WIDTH: Final = 4


class Probe(BaseModel):
    """What one published network answers to `picture()`: the first numbers of each output, a row per face."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    converter: str
    sources: Annotated[frozenset[str], Field(description="sha256 of the source files")]
    value_range: Annotated[tuple[float, float], Field(description="what bytes 0 and 255 become")]
    outputs: dict[str, tuple[tuple[float, ...], ...]]


def load_probes() -> tuple[Probe, ...]:
    """All stored probes."""
    entries = json.loads(resources.files("models.convert").joinpath("probes.json").read_text("utf-8"))
    return tuple(Probe.model_validate(entry) for entry in entries)


def picture(shape: Sequence[int], value_range: tuple[float, float]) -> Array:
    """Long waves in whole grey levels, other ones per channel and row: float32 of `shape` [n, c, height, width]."""
    n, c, y, x = np.indices(shape, np.float64)
    waves = np.sin((x * (c + 1) + y * (n + 2)) / shape[-1] * (4 / 3))
    low, high = value_range
    levels = np.rint(127.5 + 90 * waves) / 255
    return np.asarray(levels * (high - low) + low, np.float32)


def first_numbers(output: npt.NDArray[Any]) -> tuple[tuple[float, ...], ...]:
    """The part of an output [batch, n] that a probe stores."""
    return tuple(tuple(row) for row in output[:, :_WIDTH].tolist())


def check(converter: str, digests: Sequence[str], path: Path) -> None:
    """Runs a converted model; weights nobody published a probe for must still give finite numbers in the right shape.

    Args:
        converter: its name.
        digests: sha256 of each source file.
        path: the model.

    Raises:
        ConversionError: an output differs from the stored one by more than `TOLERANCE`, or is not finite.
    """
    probes = [probe for probe in load_probes() if probe.converter == converter]
    known = next((probe for probe in probes if probe.sources == frozenset(digests)), None)
    answers = _answers(path, (known or probes[0]).value_range)
    if not all(np.isfinite(answer).all() for answer in answers.values()):
        raise ConversionError("the converted network gives numbers that are not finite")
    if known is None:
        return
    for name, expected in known.outputs.items():
        difference = np.abs(np.array(first_numbers(answers[name])) - np.array(expected)).max()
        if difference > TOLERANCE:
            raise ConversionError(f"output {name} of the converted network is off by {difference:.2g} on the probe")


def _answers(path: Path, value_range: tuple[float, float]) -> dict[str, npt.NDArray[Any]]:
    model = onnx.load(path)
    feeds = {
        value.name: picture([_BATCH, *(dim.dim_value for dim in value.type.tensor_type.shape.dim[1:])], value_range)
        for value in model.graph.input
    }
    outputs = ReferenceEvaluator(model).run(None, feeds)
    return {value.name: np.asarray(output) for value, output in zip(model.graph.output, outputs, strict=True)}
