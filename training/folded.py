"""From the ONNX file that is served back to torch: a network goes on from one whose own weights are not kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import Tensor, nn

Weights = NDArray[np.float32]


def restore(network: nn.Module, file: Path, images: Tensor) -> None:
    """Gives the convolutions and linear layers of a network the weights that an export of it has, float32 or int8.

    Batch norms were folded into the convolutions. Those of the network become ones that change nothing but add the
    bias, and whose statistics are those of `images`, so that learning goes on where it was.

    Args:
        network: with each layer where the forward pass meets it.
        file: of `export`, or its int8 variant.
        images: some of what it learns from, as it sees them.

    Raises:
        ValueError: the file is of another network.
    """
    layers = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
    norms = {before: norm for before, norm in pairwise(network.modules()) if isinstance(norm, nn.BatchNorm2d)}
    hooks = []
    with torch.no_grad():
        for layer, (weight, bias) in zip(layers, _constants(onnx.load(file)), strict=True):
            if layer.weight.shape != weight.shape:
                raise ValueError(f"{file.name} is of another network: {weight.shape} for {tuple(layer.weight.shape)}")
            layer.weight.copy_(torch.from_numpy(weight))
            if layer.bias is not None:
                layer.bias.copy_(torch.from_numpy(bias))
            else:
                hooks.append(norms[layer].register_forward_pre_hook(_neutral(torch.from_numpy(bias))))
        network.eval()(images)
    for hook in hooks:
        hook.remove()


def _neutral(bias: Tensor) -> Callable[[nn.BatchNorm2d, tuple[Tensor]], None]:
    """A hook that sees what comes in and makes the norm undo its own doing."""
    return partial(_measure, bias=bias)


def _measure(norm: nn.BatchNorm2d, given: tuple[Tensor], bias: Tensor) -> None:
    variance, mean = torch.var_mean(given[0], dim=(0, 2, 3))
    for place, value in (
        (norm.running_mean, mean),
        (norm.running_var, variance),
        (norm.weight, (variance + norm.eps).sqrt()),
        (norm.bias, bias + mean),
    ):
        place.data.copy_(value)


def _constants(model: onnx.ModelProto) -> Iterator[tuple[Weights, Weights]]:
    """Weight and bias of each convolution and linear layer, in order."""
    stored = {item.name: numpy_helper.to_array(item) for item in model.graph.initializer}
    made = {node.output[0]: node for node in model.graph.node if node.op_type == "DequantizeLinear"}

    def value(name: str) -> Weights:
        if name in stored:
            return np.array(stored[name], np.float32)
        quantised, scale, zero = (stored[part] for part in made[name].input)
        per_channel = (-1,) + (1,) * (quantised.ndim - 1) if scale.ndim else ()
        return np.array(
            (quantised - zero.reshape(per_channel).astype(np.float32)) * scale.reshape(per_channel), np.float32
        )

    for node in model.graph.node:
        if node.op_type in ("Conv", "Gemm"):
            yield value(node.input[1]), value(node.input[2])
