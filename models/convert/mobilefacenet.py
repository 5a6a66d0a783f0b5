"""MobileFaceNet (Chen et al. 2018) as foamliu/MobileFaceNet has it (`mobilefacenet.py`).

112 x 112 RGB, normalised as ImageNet, face aligned to ArcFace's template → 128-d embedding.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from models.convert import torch_legacy
from models.convert.graph import Graph, Value
from models.convert.source import one_source
from models.convert.torch_layers import TorchLayers

_SIDE: Final = 112
_EMBEDDING: Final = 128
_STAGES: Final = ((64, 5, 2, 2), (128, 1, 2, 4), (128, 6, 1, 2), (128, 1, 2, 4), (128, 2, 1, 2))
"""(channels, blocks, stride of the first block, expansion) of each stage of inverted residuals."""


def build(sources: tuple[Path, ...]) -> Graph:
    """Input `input` [batch, 3, 112, 112], normalised RGB; output `embedding` [batch, 128], not of unit length.

    Raises:
        ConversionError: the source is not these weights.
    """
    graph = Graph("mobilefacenet")
    layers = TorchLayers(graph, torch_legacy.read(one_source(sources)))
    x = graph.input("input", 3, _SIDE, _SIDE)
    x = graph.relu6(layers.conv_norm(x, "conv1.0", "conv1.1", (3, 64), kernel=3, stride=2, padding=1))
    x = layers.conv_norm(x, "dw_conv.depthwise", "dw_conv.bn1", (64, 64), kernel=3, padding=1, depthwise=True)
    x = layers.conv_norm(graph.node("Relu", x), "dw_conv.pointwise", "dw_conv.bn2", (64, 64))
    x = graph.node("Relu", x)
    channels, block = 64, 0
    for outputs, count, first_stride, expansion in _STAGES:
        for stride in (first_stride, *[1] * (count - 1)):
            widths = (channels, channels * expansion, outputs)
            x = _inverted_residual(layers, x, f"features.{block}.conv", widths, stride)
            channels, block = outputs, block + 1
    x = graph.relu6(layers.conv_norm(x, "conv2.0", "conv2.1", (channels, 512)))
    x = layers.conv_norm(x, "gdconv.depthwise", "gdconv.bn", (512, 512), kernel=7, depthwise=True)
    x = layers.conv_norm(x, "conv3", "bn", (512, _EMBEDDING), biased=True)
    graph.output("embedding", graph.node("Flatten", x), _EMBEDDING)
    layers.finish()
    return graph


def _inverted_residual(layers: TorchLayers, x: Value, name: str, channels: tuple[int, int, int], stride: int) -> Value:
    """Expand, depthwise, project; plus the input where the shape stays the same."""
    inputs, hidden, outputs = channels
    graph, wide = layers.graph, (hidden, hidden)
    y = graph.relu6(layers.conv_norm(x, f"{name}.0.0", f"{name}.0.1", (inputs, hidden)))
    y = layers.conv_norm(y, f"{name}.1.0", f"{name}.1.1", wide, kernel=3, stride=stride, padding=1, depthwise=True)
    y = layers.conv_norm(graph.relu6(y), f"{name}.2", f"{name}.3", (hidden, outputs))
    return graph.node("Add", x, y) if stride == 1 and inputs == outputs else y
