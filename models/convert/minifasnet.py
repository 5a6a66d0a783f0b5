"""MiniFASNet V2 and V1SE (minivision-ai/Silent-Face-Anti-Spoofing, `src/model_lib/MiniFASNet.py`).

80 x 80 BGR in 0..255 → 3 logits; class 1 is a live face. The two look at the same face at different scales, and their
softmax outputs are averaged.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from facesocial.errors import ConversionError
from models.convert import torch_legacy
from models.convert.graph import Graph, Value
from models.convert.source import one_source
from models.convert.torch_layers import TorchLayers

_SIDE: Final = 80
_CLASSES: Final = 3
_PARALLEL: Final = "module."  # torch.nn.DataParallel put it before every name


@dataclass(frozen=True, slots=True)
class _Variant:
    """What pruning left of the network: the hidden channels of the blocks, `keep_dict` in the source."""

    stages: tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]
    squeeze: bool
    """Whether the last block of a stage ends with squeeze-and-excitation."""


_V2: Final = _Variant(((13, 13, 13, 13), (231, 52, 26, 77, 26, 26), (26, 26)), squeeze=False)
_V1SE: Final = _Variant(((13, 26, 13, 52), (154, 52, 26, 52, 26, 26), (26, 26)), squeeze=True)
_DOWN: Final = (
    ("conv_23", "conv_3", 32, 103, 64),
    ("conv_34", "conv_4", 64, 231, 128),
    ("conv_45", "conv_5", 128, 308, 128),
)
"""(block that halves the side, stage after it, its input channels, hidden channels, output channels)."""


def build_v2(sources: tuple[Path, ...]) -> Graph:
    """Input `input` [batch, 3, 80, 80], crop scale 2.7; output `logits` [batch, 3].

    Raises:
        ConversionError: the source is not these weights.
    """
    return _build_one(one_source(sources), "minifasnet_v2", _V2)


def build_v1se(sources: tuple[Path, ...]) -> Graph:
    """Input `input` [batch, 3, 80, 80], crop scale 4.0; output `logits` [batch, 3].

    Raises:
        ConversionError: the source is not these weights.
    """
    return _build_one(one_source(sources), "minifasnet_v1se", _V1SE)


def build_fused(sources: tuple[Path, ...]) -> Graph:
    """V2 and V1SE, sources in this order, in one graph, so that one session run answers.

    Inputs `v2` and `v1se` [batch, 3, 80, 80]; outputs `logits_v2` and `logits_v1se` [batch, 3].

    Raises:
        ConversionError: the sources are not these weights, or in the other order.
    """
    if len(sources) != 2:
        raise ConversionError(f"this converter takes 2 sources, V2 and V1SE, not {len(sources)}")
    graph = Graph("minifasnet_fused")
    for name, variant, source in zip(("v2", "v1se"), (_V2, _V1SE), sources, strict=True):
        x = graph.input(name, 3, _SIDE, _SIDE)
        graph.output(f"logits_{name}", _append(graph, x, source, variant), _CLASSES)
    return graph


def _build_one(source: Path, name: str, variant: _Variant) -> Graph:
    graph = Graph(name)
    x = graph.input("input", 3, _SIDE, _SIDE)
    graph.output("logits", _append(graph, x, source, variant), _CLASSES)
    return graph


def _append(graph: Graph, x: Value, source: Path, variant: _Variant) -> Value:
    """The whole network on input `x`; returns the logits."""
    tensors = torch_legacy.read(source)
    layers = TorchLayers(graph, {name.removeprefix(_PARALLEL): tensor for name, tensor in tensors.items()})
    x = _conv_prelu(layers, x, "conv1", (3, 32), kernel=3, stride=2, padding=1)
    x = _conv_prelu(layers, x, "conv2_dw", (32, 32), kernel=3, padding=1, depthwise=True)
    for (down, stage, inputs, hidden, channels), widths in zip(_DOWN, variant.stages, strict=True):
        x = _bottleneck(layers, x, down, (inputs, hidden, channels), stride=2)
        for index, width in enumerate(widths):
            block = f"{stage}.model.{index}"
            y = _bottleneck(layers, x, block, (channels, width, channels), stride=1)
            if variant.squeeze and index == len(widths) - 1:
                y = _squeeze_excite(layers, y, f"{block}.se_module", channels)
            x = graph.node("Add", x, y)
    x = _conv_prelu(layers, x, "conv_6_sep", (128, 512))
    x = layers.conv_norm(x, "conv_6_dw.conv", "conv_6_dw.bn", (512, 512), kernel=5, depthwise=True)
    x = layers.linear_norm(graph.node("Flatten", x), "linear", "bn", 512, 128)
    x = layers.linear(x, "prob", 128, _CLASSES)
    layers.finish()
    return x


def _conv_prelu(
    layers: TorchLayers,
    x: Value,
    name: str,
    channels: tuple[int, int],
    *,
    kernel: int = 1,
    stride: int = 1,
    padding: int = 0,
    depthwise: bool = False,
) -> Value:
    x = layers.conv_norm(
        x, f"{name}.conv", f"{name}.bn", channels, kernel=kernel, stride=stride, padding=padding, depthwise=depthwise
    )
    return layers.prelu(x, f"{name}.prelu", channels[1])


def _bottleneck(layers: TorchLayers, x: Value, name: str, channels: tuple[int, int, int], *, stride: int) -> Value:
    """Expand, depthwise, project."""
    inputs, hidden, outputs = channels
    x = _conv_prelu(layers, x, f"{name}.conv", (inputs, hidden))
    x = _conv_prelu(layers, x, f"{name}.conv_dw", (hidden, hidden), kernel=3, stride=stride, padding=1, depthwise=True)
    return layers.conv_norm(x, f"{name}.project.conv", f"{name}.project.bn", (hidden, outputs))


def _squeeze_excite(layers: TorchLayers, x: Value, name: str, channels: int) -> Value:
    """Each channel times a gate that sees the mean of all channels; a quarter of the channels in between."""
    graph = layers.graph
    y = layers.conv_norm(graph.node("GlobalAveragePool", x), f"{name}.fc1", f"{name}.bn1", (channels, channels // 4))
    y = layers.conv_norm(graph.node("Relu", y), f"{name}.fc2", f"{name}.bn2", (channels // 4, channels))
    return graph.node("Mul", x, graph.node("Sigmoid", y))
