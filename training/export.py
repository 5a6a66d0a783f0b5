"""From torch to the ONNX file that is served."""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping, Sequence
from typing import Final

import onnx
import torch
from torch import Tensor, nn

from runners.quantisation import OPSET

TERMS: Final = {
    "licence": "research and evaluation; commercial use: no",
    "source": "trained by FaceSocial (docs/training.md) on pictures under research terms",
}
"""Goes with the weights wherever they go."""

ROWS: Final = 2
"""Of the example: with one row an exporter may take the number for a constant."""


def export(
    network: nn.Module, inputs: Mapping[str, tuple[int, int]], outputs: Sequence[str], any_size: bool = False
) -> bytes:
    """ONNX with any number of rows, batch norms folded into the convolutions, no path of this machine in it.

    Args:
        network: on the CPU.
        inputs: height and width of each, by name, in order.
        outputs: their names, in order.
        any_size: any other height and width too.
    """
    axes = {name: {0: "rows"} for name in (*inputs, *outputs)}
    if any_size:
        for name in inputs:
            axes[name] |= {2: "height", 3: "width"}
    examples: tuple[Tensor, ...] = tuple(torch.zeros(ROWS, 3, *size) for size in inputs.values())
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the newer exporter writes opset 18 and up
        torch.onnx.export(
            network.eval(),
            examples,
            buffer,
            input_names=list(inputs),
            output_names=list(outputs),
            dynamic_axes=axes,
            opset_version=OPSET,
            dynamo=False,
        )
    model = onnx.load_from_string(buffer.getvalue())
    for node in model.graph.node:
        node.doc_string = ""
    onnx.helper.set_model_props(model, TERMS)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString(deterministic=True))
