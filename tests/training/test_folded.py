"""What goes on from an exported network starts as what the export says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest

torch = pytest.importorskip("torch", reason="PyTorch lives in .venv-training, which scripts/train makes")

from models.starter import packaged_file  # noqa: E402
from training.embedder import Embedder  # noqa: E402
from training.export import export  # noqa: E402
from training.folded import restore  # noqa: E402
from training.liveness import Liveness  # noqa: E402

pytestmark = pytest.mark.unit


def crops(count: int, side: int) -> np.ndarray:
    """Blots, BGR."""
    small = np.random.default_rng(3).integers(0, 256, (count, 7, 7, 3), np.uint8)
    return np.kron(small, np.ones((1, side // 7, side // 7, 1), np.uint8))


def test_float_weights_come_back_and_learning_goes_on_where_it_was(tmp_path: Path) -> None:
    """It says the same, judged and, by the statistics of what it settled on, learning."""
    torch.manual_seed(1)
    given = torch.randn(64, 3, 112, 112)
    trained = Embedder()
    trained.train()(given * 3 + 1)  # norms that are not neutral
    file = tmp_path / "model.onnx"
    file.write_bytes(export(trained, {"image": (112, 112)}, ["embedding"]))
    again = Embedder()
    restore(again, file, given)
    with torch.no_grad():
        wanted = trained.eval()(given)
        torch.testing.assert_close(again.eval()(given), wanted, rtol=1e-3, atol=1e-4)
        torch.testing.assert_close(again.train()(given), wanted, rtol=2e-2, atol=2e-2)


def test_the_packaged_embedder_comes_back_but_for_the_rounding_of_its_activations() -> None:
    images = crops(8, 112)
    session = onnxruntime.InferenceSession(packaged_file("starter_embedder/model.onnx"))
    said = session.run(None, {"image": (images.transpose(0, 3, 1, 2).astype(np.float32) - 127.5) / 127.5})[0]
    network = Embedder.packaged(images).eval()
    with torch.no_grad():
        given = network((torch.from_numpy(images).permute(0, 3, 1, 2).float() - 127.5) / 127.5).numpy()
    cosine = (said * given).sum(1) / np.linalg.norm(said, axis=1) / np.linalg.norm(given, axis=1)
    assert cosine.min() > 0.98


def test_a_file_of_another_network_is_refused() -> None:
    with pytest.raises(ValueError, match="of another network"):
        restore(Liveness(), packaged_file("starter_embedder/model.onnx"), torch.zeros(2, 3, 80, 80))
