"""An ONNX graph, built layer by layer. The same calls give the same bytes: names are counted, nothing has a date."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

from models.convert.registry import VERSION
from models.convert.weights import Array

OPSET: Final = 17  # onnxruntime 1.24 to 1.32 load it, and BatchNormalization infers without a flag (from 14 on)
IR_VERSION: Final = 8
BATCH: Final = "batch"

Value = str
"""The name of a tensor in the graph."""

Padding = tuple[int, int, int, int]
"""Top, left, bottom, right, in pixels."""


class Graph:
    """A network under construction. Images are float32 [batch, channels, height, width]."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._nodes: list[NodeProto] = []
        self._inputs: list[ValueInfoProto] = []
        self._outputs: list[ValueInfoProto] = []
        self._initializers: list[TensorProto] = []
        self._counts: Counter[str] = Counter()

    def input(self, name: str, *shape: int) -> Value:
        """Declares a float32 input [batch, *shape]."""
        self._inputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, [BATCH, *shape]))
        return name

    def output(self, name: str, x: Value, *shape: int) -> None:
        """Declares `x`, a float32 tensor [batch, *shape], to be the output `name`."""
        self._nodes.append(helper.make_node("Identity", [x], [name], name=name))
        self._outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, [BATCH, *shape]))

    def constant(self, values: Array) -> Value:
        """Stores a tensor in the file."""
        name = self._unique("weight")
        self._initializers.append(numpy_helper.from_array(np.asarray(values, order="C"), name))
        return name

    def node(self, operator: str, *inputs: Value, **attributes: float | Sequence[int]) -> Value:
        """Appends an operator with one output."""
        name = self._unique(operator.lower())
        node = helper.make_node(operator, inputs, [name], name=name)
        node.attribute.extend(helper.make_attribute(key, value) for key, value in sorted(attributes.items()))
        self._nodes.append(node)
        return name

    def conv(
        self,
        x: Value,
        weight: Array,
        bias: Array | None = None,
        *,
        stride: int = 1,
        padding: Padding = (0, 0, 0, 0),
        groups: int = 1,
        dilation: int = 1,
    ) -> Value:
        """Convolution with zero padding; `weight` is [out, in / groups, height, width]."""
        constants = [self.constant(weight)] if bias is None else [self.constant(weight), self.constant(bias)]
        return self.node(
            "Conv",
            x,
            *constants,
            dilations=[dilation, dilation],
            group=groups,
            kernel_shape=list(weight.shape[2:]),
            pads=list(padding),
            strides=[stride, stride],
        )

    def linear(self, x: Value, weight: Array, bias: Array) -> Value:
        """`x` [batch, in] times `weight` [out, in] transposed, plus `bias` [out]."""
        return self.node("Gemm", x, self.constant(weight), self.constant(bias), transB=1)

    def prelu(self, x: Value, slope: Array) -> Value:
        """max(x, 0) + slope · min(x, 0), one slope per channel.

        Where no slope exceeds 1 that is max(x, slope · x), to the bit, and not ONNX Runtime's slowest operator:
        MiniFASNet takes 1/1.5 of the time with it (onnxruntime 1.32, 2 cores, batch 1 and 6).
        """
        slopes = self.constant(slope.reshape(-1, 1, 1))
        if slope.max() > 1:
            return self.node("PRelu", x, slopes)
        return self.node("Max", x, self.node("Mul", x, slopes))

    def relu6(self, x: Value) -> Value:
        """min(max(x, 0), 6)."""
        return self.node("Clip", x, self.constant(np.array(0, np.float32)), self.constant(np.array(6, np.float32)))

    def max_pool(self, x: Value, size: int, *, stride: int, padding: Padding = (0, 0, 0, 0)) -> Value:
        """Maximum over size x size pixels; padding never wins."""
        return self.node("MaxPool", x, kernel_shape=[size, size], pads=list(padding), strides=[stride, stride])

    def model(self) -> ModelProto:
        """The finished model."""
        graph = helper.make_graph(self._nodes, self._name, self._inputs, self._outputs, self._initializers)
        return helper.make_model(
            graph,
            ir_version=IR_VERSION,
            opset_imports=[helper.make_opsetid("", OPSET)],
            producer_name="facesocial",
            producer_version=str(VERSION),
        )

    def _unique(self, kind: str) -> str:
        self._counts[kind] += 1
        return f"{kind}_{self._counts[kind]}"
