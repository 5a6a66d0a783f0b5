"""Meso-4 and MesoInception-4 (Afchar et al. 2018; DariusAf/MesoNet, `classifiers.py`).

256 x 256 RGB in 0..1 → P(real).
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from models.convert import keras_h5
from models.convert.graph import Graph, Value
from models.convert.source import one_source
from models.convert.weights import Weights

_SIDE: Final = 256
_EPSILON: Final = 1e-3  # keras.layers.BatchNormalization
_SLOPE: Final = 0.1


def build_meso4(sources: tuple[Path, ...]) -> Graph:
    """Input `input` [batch, 3, 256, 256]; output `prob_real` [batch, 1], 0 fake, 1 real.

    Raises:
        ConversionError: the source is not these weights.
    """
    layers = _KerasLayers("meso4", one_source(sources))
    x = layers.input()
    x = layers.pooled(layers.conv(x, 3, 8, 3), 8, 2)
    x = layers.pooled(layers.conv(x, 8, 8, 5), 8, 2)
    return _head(layers, layers.pooled(layers.conv(x, 8, 16, 5), 16, 2))


def build_inception(sources: tuple[Path, ...]) -> Graph:
    """Input `input` [batch, 3, 256, 256]; output `prob_real` [batch, 1], 0 fake, 1 real.

    Raises:
        ConversionError: the source is not these weights.
    """
    layers = _KerasLayers("mesoinception4", one_source(sources))
    x = layers.input()
    x = layers.pooled(_inception(layers, x, 3, (1, 4, 4, 2)), 11, 2)
    x = layers.pooled(_inception(layers, x, 11, (2, 4, 4, 2)), 12, 2)
    return _head(layers, layers.pooled(layers.conv(x, 12, 16, 5), 16, 2))


def _inception(layers: _KerasLayers, x: Value, inputs: int, widths: tuple[int, int, int, int]) -> Value:
    """A 1 x 1 convolution beside three that go on with 3 x 3 at dilation 1, 2 and 3."""
    branches = [layers.conv(x, inputs, widths[0], 1)]
    for dilation, width in enumerate(widths[1:], start=1):
        y = layers.conv(x, inputs, width, 1)
        branches.append(layers.conv(y, width, width, 3, dilation=dilation))
    return layers.graph.node("Concat", *branches, axis=1)


def _head(layers: _KerasLayers, x: Value) -> Graph:
    """What both networks end with: one more convolution and two fully connected layers."""
    graph = layers.graph
    x = layers.pooled(layers.conv(x, 16, 16, 5), 16, 4)
    x = layers.dense_of_image(x, channels=16, side=8, outputs=16)
    x = layers.dense(graph.node("LeakyRelu", x, alpha=_SLOPE), 16, 1)
    graph.output("prob_real", graph.node("Sigmoid", x), 1)
    layers.finish()
    return graph


class _KerasLayers:
    """Appends the layers of a Keras network, which lie in the source in the order they were created."""

    def __init__(self, name: str, source: Path) -> None:
        self.graph = Graph(name)
        self._weights = Weights(keras_h5.read(source))
        self.finish = self._weights.finish
        self._convs = self._norms = self._denses = 0

    def input(self) -> Value:
        return self.graph.input("input", 3, _SIDE, _SIDE)

    def conv(self, x: Value, inputs: int, outputs: int, kernel: int, *, dilation: int = 1) -> Value:
        """Convolution that keeps the size, and ReLU. Keras stores [height, width, in, out]."""
        name, self._convs = f"conv2d.{self._convs}", self._convs + 1
        weight = self._weights.take(f"{name}.kernel", kernel, kernel, inputs, outputs).transpose(3, 2, 0, 1)
        bias = self._weights.take(f"{name}.bias", outputs)
        pad = dilation * (kernel // 2)
        x = self.graph.conv(x, weight, bias, padding=(pad, pad, pad, pad), dilation=dilation)
        return self.graph.node("Relu", x)

    def pooled(self, x: Value, channels: int, size: int) -> Value:
        """BatchNormalization, which cannot move past the ReLU before it, and max pooling."""
        name, self._norms = f"batch_normalization.{self._norms}", self._norms + 1
        scale, offset, mean, variance = (
            self.graph.constant(self._weights.take(f"{name}.{part}", channels))
            for part in ("gamma", "beta", "moving_mean", "moving_variance")
        )
        x = self.graph.node("BatchNormalization", x, scale, offset, mean, variance, epsilon=_EPSILON)
        return self.graph.max_pool(x, size, stride=size)

    def dense(self, x: Value, inputs: int, outputs: int) -> Value:
        """A fully connected layer. Keras stores [in, out]."""
        name, self._denses = f"dense.{self._denses}", self._denses + 1
        weight = self._weights.take(f"{name}.kernel", inputs, outputs)
        return self.graph.linear(x, weight.T, self._weights.take(f"{name}.bias", outputs))

    def dense_of_image(self, x: Value, *, channels: int, side: int, outputs: int) -> Value:
        """A fully connected layer on an image that Keras flattened channels last."""
        name, self._denses = f"dense.{self._denses}", self._denses + 1
        weight = self._weights.take(f"{name}.kernel", side * side * channels, outputs)
        weight = weight.reshape(side, side, channels, outputs).transpose(3, 2, 0, 1).reshape(outputs, -1)
        x = self.graph.node("Flatten", x)
        return self.graph.linear(x, weight, self._weights.take(f"{name}.bias", outputs))
