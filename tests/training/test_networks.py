"""The five networks are as small as promised, and ONNX Runtime says what torch says."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnxruntime
import pytest

torch = pytest.importorskip("torch", reason="PyTorch lives in .venv-training, which scripts/train makes")

from training.deepfake import Deepfake  # noqa: E402
from training.demographics import Answer, Demographics  # noqa: E402
from training.detector.network import Detector  # noqa: E402
from training.embedder import Embedder  # noqa: E402
from training.export import export  # noqa: E402
from training.liveness import Liveness  # noqa: E402

pytestmark = pytest.mark.unit

NETWORKS: dict[str, tuple[Callable[[], object], int, dict[str, tuple[int, int]]]] = {
    "detector": (Detector, 200_000, {"image": (320, 320)}),
    "embedder": (Embedder, 800_000, {"image": (112, 112)}),
    "liveness": (Liveness, 400_000, {"near": (80, 80), "wide": (80, 80)}),
    "deepfake": (Deepfake, 400_000, {"image": (128, 128)}),
    "demographics": (lambda: Answer(Demographics(Embedder())), 800_000, {"image": (80, 80)}),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_exported_it_says_the_same_for_any_number_of_faces(name: str) -> None:
    make, most, inputs = NETWORKS[name]
    torch.manual_seed(1)
    network = make().eval()  # type: ignore[attr-defined]
    assert sum(weight.numel() for weight in network.parameters()) <= most
    session = onnxruntime.InferenceSession(export(network, inputs, ["said"]), providers=["CPUExecutionProvider"])
    for rows in (1, 3):
        given = [torch.rand(rows, 3, *size) * 2 - 1 for size in inputs.values()]
        feed = {name: tensor.numpy() for name, tensor in zip(inputs, given, strict=True)}
        with torch.no_grad():
            wanted = network(*given).numpy()
        np.testing.assert_allclose(session.run(None, feed)[0], wanted, rtol=1e-3, atol=1e-4)
