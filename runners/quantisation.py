"""Makes int8 variants of networks for the CPU. Offline: beside `sessions.py` the only file that imports onnxruntime.

Weights become int8, symmetric, one scale per output channel; activations uint8, between QuantizeLinear and
DequantizeLinear (QDQ). Without VNNI the kernels add two products in 16 bits, which full-range weights overflow, so
weights have 7 bits (onnxruntime.ai, "Quantize ONNX models"). On AVX2 int8 activations took 1.5 times as long as uint8
for MobileFaceNet, uint8 weights 1.3 times.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

import onnxruntime
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from facesocial.errors import ConversionError
from models.spec import Quantisation
from vram_policy.lease import Array

if TYPE_CHECKING:
    from onnx import ModelProto

Sample: TypeAlias = tuple[Array, ...]
"""One item as a network sees it: an array [1, …] per input, in the network's order."""

OPSET: Final = 17
"""Older graphs are raised to it: a scale per channel needs 13; our own converters write 17."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """What of a network stays in float32, and why: operators by type, and so many of the first convolutions."""

    why: str
    floats: tuple[str, ...] = ()
    first: int = 0

    def __str__(self) -> str:
        left = [*self.floats, *([f"the first {self.first} Conv"] if self.first else [])]
        return f"U8S8 per channel, 7-bit weights, MinMax; in float32: {', '.join(left) or 'nothing'}"


DEFAULT: Final = Recipe("leaving layers out won nothing")

RECIPES: Final = {
    "faceapi": Recipe(
        "three input channels make a poor int8 product; age and gender are read off two small layers",
        ("Gemm", "GlobalAveragePool", "Sub"),
        first=1,
    ),
    "mesonet": Recipe("BatchNormalization has no int8 kernel, and no channel axis to scale", ("BatchNormalization",)),
    "minifasnet": Recipe(
        "PReLU has no int8 kernel: what stays between its Mul and Max would only be converted twice",
        ("Mul", "Max", "PRelu", "Sigmoid", "Gemm", "GlobalAveragePool"),
    ),
    "yunet": Recipe("the first convolution takes twice as long in int8, at three input channels", first=1),
}
"""Architectures that `DEFAULT` does not suit."""


def quantise(content: bytes, samples: Sequence[Sample], architecture: str) -> tuple[bytes, Quantisation]:
    """The int8 variant of an ONNX network, and how it was made.

    Args:
        content: the float32 network.
        samples: what it sees in service; the ranges of activations are those met here. Kept in memory alone.
        architecture: chooses the recipe.

    Same content, samples and onnxruntime give the same bytes.

    Raises:
        ConversionError: there are no samples, or the extra `convert` is missing.
    """
    if find_spec("onnx") is None:
        raise ConversionError("quantising needs onnx: run `uv sync --extra convert`")
    import onnx

    if not samples:
        raise ConversionError("the calibration pictures show this network nothing: is there a face in them?")
    recipe = RECIPES.get(architecture, DEFAULT)
    with tempfile.TemporaryDirectory(prefix="quantise-") as folder:
        raised, prepared, target = (Path(folder) / name for name in ("raised.onnx", "prepared.onnx", "int8.onnx"))
        onnx.save(_raised(onnx.load_from_string(content)), raised)
        quant_pre_process(raised, prepared, skip_symbolic_shape=True)
        network = onnx.load(prepared)
        quantize_static(
            prepared,
            target,
            _Reader(_inputs(network), samples),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=list(_floats(network, recipe)),
        )
        quantised = target.read_bytes()
    method = f"{recipe}; onnxruntime {onnxruntime.__version__}"
    return quantised, Quantisation(method=method, calibration=_digest(samples), samples=len(samples))


class _Reader(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime ships no types
    """Hands the samples to onnxruntime, one at a time."""

    def __init__(self, inputs: Sequence[str], samples: Iterable[Sample]) -> None:
        self._feeds = (dict(zip(inputs, sample, strict=True)) for sample in samples)

    def get_next(self) -> dict[str, Array] | None:
        """The next sample by name of input; None: there are no more."""
        return next(self._feeds, None)


def _raised(network: ModelProto) -> ModelProto:
    from onnx import version_converter

    version = next(entry.version for entry in network.opset_import if entry.domain in ("", "ai.onnx"))
    return network if version >= OPSET else version_converter.convert_version(network, OPSET)


def _inputs(network: ModelProto) -> list[str]:
    stored = {tensor.name for tensor in network.graph.initializer}
    return [entry.name for entry in network.graph.input if entry.name not in stored]


def _floats(network: ModelProto, recipe: Recipe) -> Iterator[str]:
    """Names of the nodes that the recipe leaves in float32."""
    convolutions = 0
    for node in network.graph.node:
        convolutions += node.op_type == "Conv"
        if node.op_type in recipe.floats or (node.op_type == "Conv" and convolutions <= recipe.first):
            yield node.name


def _digest(samples: Iterable[Sample]) -> str:
    digest = hashlib.sha256()
    for array in (array for sample in samples for array in sample):
        digest.update(f"{array.dtype}{array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
