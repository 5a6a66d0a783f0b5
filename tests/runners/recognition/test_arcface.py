"""Embeddings: unit length, one contract, the same person nearer than another."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bentos.composition import Parts
from cli.bench.accuracy import open_picture
from facesocial.capabilities import Capability, Task
from facesocial.results import Embedding

pytestmark = pytest.mark.integration


def embedding(parts: Parts, file: Path):  # type: ignore[no-untyped-def]
    """Of the largest face."""
    report = parts.pipeline.analyze(open_picture(file.read_bytes()), [Task.EMBED])
    return max(report.faces, key=lambda face: face.face.area).results[Task.EMBED]


def test_same_person_is_nearer(parts: Parts, data: Path) -> None:
    """Two pictures of one man are above the threshold, two men below it."""
    obama, obama2, biden = (embedding(parts, data / "people" / f"{name}.jpg") for name in ("obama", "obama2", "biden"))
    threshold = parts.runners.of(Capability.RECOGNITION).adapter.spec.threshold
    assert threshold
    assert float(obama.vector @ obama2.vector) > threshold.value > float(obama.vector @ biden.vector)
    assert obama.contract == biden.contract
    assert len(obama.contract) == 16


def test_vectors_have_unit_length(parts: Parts, six_faces: Path) -> None:
    """L2-normalised float32."""
    report = parts.pipeline.analyze(open_picture(six_faces.read_bytes()), [Task.EMBED])
    for found in report.faces:
        vector = found.results[Task.EMBED].vector
        assert vector.dtype == np.float32
        assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)


def test_batching_changes_nothing(parts: Parts, six_faces: Path) -> None:
    """Six faces at once give what each gives alone."""
    runner = parts.runners.of(Capability.RECOGNITION)
    generator = np.random.default_rng(0)
    views = [(generator.integers(0, 255, (112, 112, 3)).astype(np.uint8),) for _ in range(20)]
    together = runner.run(views).results
    for view, result in zip(views, together, strict=True):
        alone = runner.run([view]).results[0]
        assert isinstance(alone, Embedding)
        assert isinstance(result, Embedding)
        assert np.allclose(alone.vector, result.vector, atol=1e-4)
