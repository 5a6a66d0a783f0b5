"""The networks in the package are those of their cards: together, as a user without a pulled pack has them.

Floors, not figures: most of these pictures were learned from. The figures, on strangers, are in the cards.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cli.bench import accuracy, datasets
from cli.bench.calibration import pipeline
from facesocial.capabilities import Capability
from models.catalogue import load_catalogue
from models.starter import starters
from services.pipeline.pipeline import Pipeline

pytestmark = [pytest.mark.accuracy, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def together() -> Pipeline:
    """All five, nothing else."""
    return pipeline(starters(load_catalogue()))


def test_strangers_are_told_apart(together: Pipeline, data: Path) -> None:
    """Every fourth pair of the fold of LFW whose persons neither detector nor embedder has seen."""
    pairs = [pair for pair in datasets.lfw_pairs(data) if pair.fold == 4][::4]
    tenths = [replace(pair, fold=number % 10) for number, pair in enumerate(pairs)]
    figures = accuracy.recognition_of(together, data, tenths)
    assert figures.accuracy.value >= 0.9
    assert figures.without_face <= 2


@pytest.mark.parametrize("part", [0.6, 0.7, 0.85])
@pytest.mark.parametrize("name", ["obama.jpg", "biden.jpg"])
def test_a_close_up_is_seen(together: Pipeline, data: Path, name: str, part: float) -> None:
    """A square about the face, whose box takes this share of its side."""
    picture = datasets.read(data / "people" / name)
    (face,) = [one.face for one in together.detect(accuracy.open_picture(datasets.encoded(picture)), None, 1).faces]
    x1, y1, x2, y2 = face.box
    half = round(np.sqrt(face.area) / part / 2)
    x, y = round((x1 + x2) / 2), round((y1 + y2) / 2)
    assert half <= min(x, y, picture.shape[1] - x, picture.shape[0] - y), "the picture has less about the face"
    close = np.ascontiguousarray(picture[y - half : y + half, x - half : x + half])
    assert len(together.detect(accuracy.open_picture(datasets.encoded(close)), None, 100).faces) == 1


def test_prints_and_screens_are_no_live_faces(together: Pipeline, data: Path) -> None:
    threshold = starters(load_catalogue())[Capability.LIVENESS].spec.threshold
    assert threshold
    print_, screen, live = accuracy.samples(together, data)
    assert max(print_, screen) < threshold.value <= live
    assert accuracy.liveness(together, data).auc.value >= 0.95


def test_forgeries_of_2018_are_known(together: Pipeline, data: Path) -> None:
    assert accuracy.deepfake(together, data, every=10).auc.value >= 0.95


def test_ages_and_genders(together: Pipeline, data: Path) -> None:
    figures = accuracy.demography(together, data)
    assert figures.without_face <= 6
    assert figures.age_mae.value <= 8
    assert figures.gender.value >= 0.85
