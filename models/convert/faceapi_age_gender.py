"""Age and gender of face-api.js (`src/ageGenderNet`, TinyXception).

112 x 112 RGB in 0..255 → age in years, P(male), P(female).
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np

from models.convert import tfjs
from models.convert.graph import Graph, Padding, Value
from models.convert.weights import Array, Weights

_SIDE: Final = 112
_MEAN: Final = (122.782, 117.001, 104.298)
_RANGE: Final = 256  # a power of two: dividing the first kernel by it instead of the picture changes no bit
_FEATURES: Final = 512
_SAME: Final[Padding] = (0, 0, 1, 1)  # TensorFlow's SAME for 3 x 3 at stride 2 on an even side
_MAIN_BLOCKS: Final = 2


def build(sources: tuple[Path, ...]) -> Graph:
    """Input `input` [batch, 3, 112, 112]; outputs `age` [batch, 1] and `gender_prob_male_female` [batch, 2].

    Raises:
        ConversionError: the sources are not the manifest and shard of these weights.
    """
    graph = Graph("faceapi_age_gender")
    layers = _TinyXception(graph, Weights(tfjs.read(sources)))
    x = graph.input("input", 3, _SIDE, _SIDE)
    x = graph.node("Sub", x, graph.constant(np.array(_MEAN, np.float32).reshape(1, 3, 1, 1)))
    x = graph.node("Relu", layers.conv(x, "entry_flow/conv_in", (3, 32), kernel=3, scale=1 / _RANGE))
    x = layers.reduction(x, x, "entry_flow/reduction_block_0", (32, 64))
    x = layers.reduction(x, graph.node("Relu", x), "entry_flow/reduction_block_1", (64, 128))
    for index in range(_MAIN_BLOCKS):
        x = layers.main(x, f"middle_flow/main_block_{index}", 128)
    x = layers.reduction(x, graph.node("Relu", x), "exit_flow/reduction_block", (128, 256))
    x = graph.node("Relu", layers.separable(x, "exit_flow/separable_conv", (256, _FEATURES)))
    x = graph.node("Flatten", graph.node("GlobalAveragePool", x))
    graph.output("age", layers.linear(x, "fc/age", 1), 1)
    graph.output("gender_prob_male_female", graph.node("Softmax", layers.linear(x, "fc/gender", 2), axis=1), 2)
    layers.finish()
    return graph


class _TinyXception:
    """Appends the network's layers. TensorFlow stores kernels as [height, width, in, out]."""

    def __init__(self, graph: Graph, weights: Weights) -> None:
        self._graph = graph
        self._weights = weights
        self.finish = weights.finish

    def conv(self, x: Value, name: str, channels: tuple[int, int], *, kernel: int = 1, scale: float = 1) -> Value:
        """A convolution at stride 2; the kernel is multiplied by `scale`."""
        weight = self._kernel(f"{name}/filters", kernel, *channels) * np.float32(scale)
        bias = self._weights.take(f"{name}/bias", channels[1])
        return self._graph.conv(x, weight, bias, stride=2, padding=_SAME if kernel == 3 else (0, 0, 0, 0))

    def separable(self, x: Value, name: str, channels: tuple[int, int]) -> Value:
        """A 3 x 3 kernel per channel, then 1 x 1 across channels."""
        depthwise = self._weights.take(f"{name}/depthwise_filter", 3, 3, channels[0], 1).transpose(2, 3, 0, 1)
        x = self._graph.conv(x, depthwise, padding=(1, 1, 1, 1), groups=channels[0])
        pointwise = self._kernel(f"{name}/pointwise_filter", 1, *channels)
        return self._graph.conv(x, pointwise, self._weights.take(f"{name}/bias", channels[1]))

    def reduction(self, x: Value, activated: Value, name: str, channels: tuple[int, int]) -> Value:
        """Half the side: two separable convolutions of `activated`, pooled, plus a projection of `x`."""
        graph = self._graph
        y = self.separable(activated, f"{name}/separable_conv0", channels)
        y = self.separable(graph.node("Relu", y), f"{name}/separable_conv1", (channels[1], channels[1]))
        y = graph.max_pool(y, 3, stride=2, padding=_SAME)
        return graph.node("Add", y, self.conv(x, f"{name}/expansion_conv", channels))

    def main(self, x: Value, name: str, channels: int) -> Value:
        """Three separable convolutions, each after a ReLU, plus the input."""
        y = x
        for index in range(3):
            y = self.separable(self._graph.node("Relu", y), f"{name}/separable_conv{index}", (channels, channels))
        return self._graph.node("Add", x, y)

    def linear(self, x: Value, name: str, outputs: int) -> Value:
        """A fully connected layer on the pooled features."""
        weight = self._weights.take(f"{name}/weights", _FEATURES, outputs)
        return self._graph.linear(x, weight.T, self._weights.take(f"{name}/bias", outputs))

    def _kernel(self, name: str, size: int, inputs: int, outputs: int) -> Array:
        return self._weights.take(name, size, size, inputs, outputs).transpose(3, 2, 0, 1)
