"""Layers of torch networks: weights by the names torch gives them, BatchNorm folded into the layer before it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from models.convert.graph import Graph, Padding, Value
from models.convert.weights import Array, Weights

_EPSILON: Final = 1e-5  # torch.nn.BatchNorm2d


class TorchLayers:
    """Appends layers to a graph. `finish()` checks that no tensor of the source is left."""

    def __init__(self, graph: Graph, tensors: Mapping[str, npt.NDArray[Any]]) -> None:
        self.graph = graph
        self._weights = Weights(tensors)
        self.finish = self._weights.finish

    def conv_norm(
        self,
        x: Value,
        conv: str,
        norm: str,
        channels: tuple[int, int],
        *,
        kernel: int = 1,
        stride: int = 1,
        padding: int = 0,
        depthwise: bool = False,
        biased: bool = False,
    ) -> Value:
        """A square convolution from `channels[0]` to `channels[1]` channels and the BatchNorm after it."""
        inputs, outputs = channels
        weight = self._weights.take(f"{conv}.weight", outputs, 1 if depthwise else inputs, kernel, kernel)
        bias = self._weights.take(f"{conv}.bias", outputs) if biased else np.zeros(outputs, np.float32)
        pads: Padding = (padding, padding, padding, padding)
        return self.graph.conv(
            x, *self._fold(norm, weight, bias), stride=stride, padding=pads, groups=inputs if depthwise else 1
        )

    def linear_norm(self, x: Value, linear: str, norm: str, inputs: int, outputs: int) -> Value:
        """A fully connected layer without bias and the BatchNorm after it."""
        weight = self._weights.take(f"{linear}.weight", outputs, inputs)
        return self.graph.linear(x, *self._fold(norm, weight, np.zeros(outputs, np.float32)))

    def linear(self, x: Value, name: str, inputs: int, outputs: int) -> Value:
        """A fully connected layer without bias."""
        weight = self._weights.take(f"{name}.weight", outputs, inputs)
        return self.graph.linear(x, weight, np.zeros(outputs, np.float32))

    def prelu(self, x: Value, name: str, channels: int) -> Value:
        """A PReLU with a slope per channel."""
        return self.graph.prelu(x, self._weights.take(f"{name}.weight", channels))

    def _fold(self, norm: str, weight: Array, bias: Array) -> tuple[Array, Array]:
        """(w·x + b - mean) / sqrt(variance + ε) · gamma + beta as one weight and bias; in float64, rounded once."""
        gamma, beta, mean, variance = (
            self._weights.take(f"{norm}.{part}", len(bias)).astype(np.float64)
            for part in ("weight", "bias", "running_mean", "running_var")
        )
        self._weights.drop(f"{norm}.num_batches_tracked")
        factor = gamma / np.sqrt(variance + _EPSILON)
        folded = weight * factor.reshape(-1, *[1] * (weight.ndim - 1))
        return folded.astype(np.float32), ((bias - mean) * factor + beta).astype(np.float32)
