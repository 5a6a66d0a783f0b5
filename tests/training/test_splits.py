"""Nobody is on both sides: neither a person nor a shoot is learned from and judged on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cli.bench.metrics import far_threshold

torch = pytest.importorskip("torch", reason="PyTorch lives in .venv-training, which scripts/train makes")

from training import deepfake, demographics, liveness  # noqa: E402
from training.bank import Bank  # noqa: E402
from training.judging.deepfake import pairs  # noqa: E402
from training.judging.liveness import APCER, bpcer  # noqa: E402
from training.pictures import ALIKE, Photograph, person_of, persons_of, shoot  # noqa: E402

pytestmark = pytest.mark.unit

NOTHING = np.zeros((0, 1, 1, 3), np.uint8)


def bank(labels: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> Bank:
    return Bank((NOTHING,), labels, np.arange(len(labels)))


def crops() -> deepfake.Crops:
    """Real and forged videos of three crops; of the forged, two shoots of several clips."""
    forged = [f"mesonet/deepfake/{number}" for number in range(130, 165)]
    real = [f"mesonet/real/{number}" for number in range(20)]
    names = np.array([shoot(name) for name in (*forged, *real) for _ in range(3)])
    fake = np.array([name in {shoot(one) for one in forged} for name in names.tolist()])
    return deepfake.Crops(np.zeros((len(names), 1, 1, 3), np.uint8), fake, names)


@pytest.mark.parametrize("fold", range(deepfake.FOLDS))
def test_deepfake(fold: int) -> None:
    """A left-out shoot is not in the bank; the photographs are; both kinds are judged."""
    known = crops()
    videos = np.append(known.numbers, deepfake.NO_VIDEO).astype(np.float32)
    taught = bank(np.stack([videos * 0, videos * 0, videos], axis=1))
    learned, judged = deepfake.split(known, taught, fold)
    assert judged is not None
    assert 0 < judged.fake.sum() < len(judged.fake)
    names = np.unique(known.groups)
    there = {names[int(video)] for video in taught.labels[learned.used, deepfake.VIDEO] if video >= 0}
    assert there | set(judged.groups) == set(known.groups)
    assert not there & set(judged.groups)
    assert len(known.groups) in learned.used


def test_clips_of_one_shoot_are_one_video() -> None:
    for names in ALIKE:
        assert {shoot(name) for name in names} == {names[0]}
    folds = deepfake.folds_of(crops().groups, crops().fake)
    assert len(set(folds[crops().groups == "mesonet/deepfake/152"])) == 1


def test_liveness() -> None:
    """One person is left out, everybody else and nobody's pictures are learned from."""
    persons = np.repeat(["0001", "0003", "0015"], 4)
    attempts = liveness.Attempts(tuple(NOTHING for _ in range(12)), np.arange(12) % 2 == 0, persons)
    people = np.append(attempts.numbers, liveness.NOBODY).astype(np.float32)
    taught = bank(np.stack([people * 0, people * 0, people], axis=1))
    for number, name in enumerate(attempts.people):
        learned, judged = liveness.split(attempts, taught, number)
        assert judged is not None
        assert set(judged.persons) == {name}
        assert set(taught.labels[learned.used, liveness.PERSON]) == {-1, 0, 1, 2} - {number}
    everybody, judged = liveness.split(attempts, taught, None)
    assert judged is None
    assert len(everybody) == len(taught)


def test_demographics() -> None:
    """Faces made of the left-out ones are left out with them; one person is in one fold."""
    groups = np.array([shoot(name) for name in (*"abcdefg", *ALIKE[3])])
    known = demographics.Known(np.zeros((9, 1, 1, 3), np.uint8), np.zeros((9, 2), np.float32), groups)
    made_of = np.arange(20) % demographics.FOLDS
    taught = bank(np.stack([made_of * 0, made_of * 0, made_of], axis=1).astype(np.float32))
    folds = demographics.folds(groups)
    assert folds[-1] == folds[-2]
    for fold in range(demographics.FOLDS):
        lessons, judged = demographics.split(known, taught, fold)
        assert fold not in taught.labels[lessons.taught.used, demographics.FOLD]
        assert len(lessons.taught) == 16
        if judged is not None:
            assert not set(judged.groups) & set(lessons.known.groups)
            assert len(judged.groups) + len(lessons.known.groups) == 9


def test_a_swap_is_of_two_persons() -> None:
    names = ["a", "a", "a", "b", "c", "c"]
    faces = [Photograph(NOTHING, "lfw", group, f"{number}") for number, group in enumerate(names)]
    made = pairs(faces)
    assert [(one.name, other.name) for one, other in made] == [("0", "3"), ("2", "3"), ("4", "0")]


def test_the_threshold_lets_a_tenth_of_the_attacks_pass() -> None:
    spoofs = np.linspace(0, 1, 101)
    threshold = far_threshold(spoofs, APCER)
    assert (spoofs >= threshold).sum() == 10
    scores, live = np.append(spoofs, [0.5, 0.95]), np.append(np.zeros(101, bool), [True, True])
    assert bpcer(scores, live) == 0.5


def test_a_fold_of_lfw_is_its_persons(tmp_path: Path) -> None:
    """All pictures of everybody in one of its pairs."""
    (tmp_path / "lfw").mkdir()
    (tmp_path / "lfw" / "pairs.csv").write_text(
        "fold,a,b,same\n3,Ann_A_0001.jpg,Ann_A_0002.jpg,1\n4,Bo_0001.jpg,Cy_C_0007.jpg,0\n"
    )
    assert persons_of(tmp_path, 4) == {"lfw/Bo", "lfw/Cy_C"}
    assert person_of("Cy_C_0009.jpg") in persons_of(tmp_path, 4)
