"""The graph builder: what each layer computes, a dynamic batch, and the same bytes for the same calls."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx.reference import ReferenceEvaluator

from models.convert.graph import Graph

pytestmark = pytest.mark.unit


def _graph() -> Graph:
    graph = Graph("small")
    x = graph.input("x", 2, 4, 4)
    x = graph.conv(
        x, np.ones((2, 1, 3, 3), np.float32), np.array([0, 1], np.float32), padding=(0, 0, 1, 1), stride=2, groups=2
    )
    x = graph.relu6(graph.prelu(x, np.array([0.5, 2], np.float32)))
    x = graph.node("Flatten", graph.max_pool(x, 2, stride=2))
    graph.output("y", graph.linear(x, np.array([[1, 10]], np.float32), np.array([3], np.float32)), 1)
    return graph


def test_layers_compute_what_they_say() -> None:
    """Depthwise 3 x 3 sums, PReLU, ReLU6, pooling and a weighted sum, followed by hand, for any batch."""
    model = _graph().model()
    onnx.checker.check_model(model, full_check=True)
    ones = np.ones((3, 2, 4, 4), np.float32)
    values = np.array([1, 0.1, -1], np.float32).reshape(3, 1, 1, 1)
    (y,) = np.asarray(ReferenceEvaluator(model).run(None, {"x": ones * values}))
    # sums 9, .9 and -9 (with padding 6 and 4); channel 0: 6, .9 and -2; channel 1 has bias 1: 6, 1.9 and -6
    np.testing.assert_allclose(y, np.array([[6 + 60 + 3], [0.9 + 19 + 3], [0 + 0 + 3]]), rtol=1e-6)


def test_the_same_calls_give_the_same_bytes() -> None:
    """No counter is shared between graphs, and nothing has a date."""
    first, second = (_graph().model().SerializeToString(deterministic=True) for _ in range(2))
    assert first == second


@pytest.mark.parametrize(("slopes", "operators"), [([0.25, 1, -0.3], ["Mul", "Max"]), ([0.25, 1.5, -0.3], ["PRelu"])])
def test_prelu_is_a_maximum_where_no_slope_exceeds_one(slopes: list[float], operators: list[str]) -> None:
    """Whichever operators it takes, the answer is PReLU's to the bit."""
    graph, slope = Graph("prelu"), np.array(slopes, np.float32)
    graph.output("y", graph.prelu(graph.input("x", 3, 8, 8), slope), 3, 8, 8)
    model = graph.model()
    assert [node.op_type for node in model.graph.node] == [*operators, "Identity"]
    x = np.random.default_rng(0).normal(size=(2, 3, 8, 8)).astype(np.float32)
    (y,) = ReferenceEvaluator(model).run(None, {"x": x})
    np.testing.assert_array_equal(y, np.where(x > 0, x, x * slope.reshape(-1, 1, 1)))
