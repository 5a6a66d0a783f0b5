"""Each trainer in miniature: a bank made with the real teacher, some steps, an exported network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch lives in .venv-training, which scripts/train makes")

from facesocial.capabilities import Capability  # noqa: E402
from facesocial.results import Face  # noqa: E402
from training import deepfake, demographics, embedder, liveness  # noqa: E402
from training.detector import train as detector  # noqa: E402
from training.detector.sources import Source  # noqa: E402
from training.pictures import Photograph  # noqa: E402
from training.portraits import SIDE, Portraits  # noqa: E402
from training.teachers import teacher  # noqa: E402

pytestmark = [pytest.mark.unit, pytest.mark.usefixtures("small_chunks", "teachers")]

STEPS = 2


def noise(*shape: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Pictures of nothing: the teacher says something of them too."""
    return np.random.default_rng(7).integers(0, 256, shape, np.uint8)


@pytest.fixture
def portraits() -> Portraits:
    """Ten of LFW, ten of UTKFace."""
    names = [f"{20 + 5 * number}_{number % 2}_0_x.jpg" for number in range(20)]
    origins = np.array(["lfw", "utkface"] * 10)
    return Portraits(noise(20, SIDE, SIDE, 3), origins, np.array(names), np.array(names))


def test_embedder(portraits: Portraits, tmp_path: Path, small_chunks: int) -> None:
    """What is in the bank is what the teacher says of the crops in it."""
    plan = embedder.Plan(None, 2 * small_chunks, STEPS)
    embedder.train(portraits, tmp_path, tmp_path, plan)
    images, labels = (np.load(tmp_path / "bank" / f"0001-{part}.npy") for part in ("images", "labels"))
    np.testing.assert_allclose(labels, teacher(Capability.RECOGNITION).embed(list(images)), atol=1e-5)


def test_demographics(portraits: Portraits, tmp_path: Path, small_chunks: int) -> None:
    """A made-up face is of one fold of UTKFace, and says which; a trunk comes from the embedder."""
    known = demographics.labelled(portraits)
    assert known.labels[1].tolist() == [35, 1]  # the second of UTKFace: number 3
    taught = demographics.taught(portraits, small_chunks, tmp_path / "bank")
    assert taught.labels[:, demographics.FOLD].tolist() == [number % demographics.FOLDS for number in range(16)]
    lessons = demographics.Lessons(known, taught)
    network = demographics.train(lessons, known, tmp_path / "run", STEPS)
    assert network(torch.zeros(2, 3, 80, 80)).shape == (2, len(demographics.AGES) + 1)


def test_demographics_are_judged_by_their_labels(portraits: Portraits) -> None:
    """Of a network that takes everybody for a woman of fifty."""

    class Fifty(torch.nn.Module):  # type: ignore[misc,name-defined]
        def forward(self, images: Any) -> Any:
            said = torch.zeros(len(images), len(demographics.AGES) + 1)
            said[:, 10] = said[:, -1] = 99
            return said

    known = demographics.labelled(portraits)
    figures = demographics.figures(Fifty(), known)
    assert figures["years"] == pytest.approx(float(abs(known.labels[:, 0] - 50).mean()), abs=1e-3)
    assert figures["gender right"] == known.labels[:, 1].mean()


def test_deepfake(tmp_path: Path, small_chunks: int) -> None:
    """As many forged as real, the others are nobody's video; a judge is asked."""
    names = np.repeat([f"v{number:02}" for number in range(12)], 3)
    crops = deepfake.Crops(noise(36, 176, 176, 3), np.arange(36) % 36 < 18, names)
    bank = deepfake.bank_of(crops, noise(2, 176, 176, 3), small_chunks, tmp_path / "bank")
    truth, word, video = bank.labels.T
    assert truth.mean() == 0.5
    assert (video[truth == 1] < 6).all()
    assert min(set(video[truth == 0]) - {deepfake.NO_VIDEO}) >= 6
    assert (video == deepfake.NO_VIDEO).sum() == 2
    assert not word[video == deepfake.NO_VIDEO].any()
    assert len(set(word[video != deepfake.NO_VIDEO].tolist())) > 1
    network = deepfake.train(bank, crops, tmp_path / "run", STEPS)
    assert deepfake.scores(network, noise(3, 128, 128, 3)).shape == (3,)


def test_liveness(tmp_path: Path, small_chunks: int) -> None:
    """Half of it is NUAA's, whose persons are known; the rest is nobody's."""
    attempts = liveness.Attempts(
        tuple(noise(12, 64, 64, 3)), np.arange(12) % 2 == 0, np.repeat([f"p{number}" for number in range(3)], 4)
    )
    source = Source(
        noise(200, 160, 3),
        np.array([[40, 50, 120, 150]], np.float32),
        np.zeros((1, 5, 2), np.float32),
        np.array([True]),
    )
    material = liveness.Material(attempts, ([source],), [noise(400, 400, 3)])
    bank = liveness.bank_of(material, small_chunks, tmp_path / "bank")
    persons = bank.labels[:, liveness.PERSON]
    assert (persons[1::2] == liveness.NOBODY).all()
    assert set(persons[::2]) <= {0, 1, 2}
    network = liveness.train(*liveness.split(attempts, bank, 1), tmp_path / "run", STEPS)
    assert liveness.scores(network, attempts.images).shape == (12,)


def test_detector(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    points = np.array([[58, 62], [92, 62], [75, 82], [62, 100], [88, 100]], np.float32)
    face = Face((40, 30, 110, 120), 0.9, points)
    photograph = Photograph(noise(150, 150, 3), "lfw", "lfw/a", "a.jpg", (face,))
    monkeypatch.setattr(detector, "BATCH", 2)
    network = detector.train([photograph], [noise(400, 400, 3)], tmp_path, STEPS)
    assert network(torch.zeros(1, 3, 320, 320)).shape == (1, 2100, 15)
