"""From torch to the ONNX file that is served, and its int8 variant."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
import onnx
import torch
from torch import nn

from facesocial.results import Tensor
from runners.quantisation import quantise

OPSET = 17


def export(network: nn.Module, example: Tensor, outputs: Sequence[str], dynamic_sides: bool = False) -> bytes:
    """ONNX with any number of rows, without a doc string, a name or a path of this machine.

    Args:
        network: on the CPU; batch norms are folded into the convolutions.
        example: float32 [n, 3, h, w] with n ≥ 2.
        outputs: their names, in order.
        dynamic_sides: any height and width too.
    """
    axes = {0: "rows", **({2: "height", 3: "width"} if dynamic_sides else {})}
    names = ["image", *outputs]
    buffer = io.BytesIO()
    torch.onnx.export(
        network.eval(),
        (torch.from_numpy(example),),
        buffer,
        input_names=names[:1],
        output_names=names[1:],
        dynamic_axes={name: axes if name == "image" else {0: "rows"} for name in names},
        opset_version=OPSET,
        dynamo=False,
    )
    model = onnx.load_from_string(buffer.getvalue())
    for node in model.graph.node:
        node.doc_string = ""
    model.producer_name, model.producer_version = "facesocial training", ""
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString(deterministic=True))


def int8(content: bytes, inputs: Tensor, architecture: str) -> bytes:
    """The int8 variant, its ranges from these inputs, a row each."""
    quantised, _ = quantise(content, [(row[None],) for row in np.ascontiguousarray(inputs)], architecture)
    return quantised
