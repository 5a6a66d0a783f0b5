"""The 202 numbers of genderage_v1."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cli.bench.accuracy import open_picture
from cli.bench.accuracy_table import pipeline_with
from facesocial.capabilities import Capability, Task
from models.catalogue import load_catalogue
from models.library import Library
from runners.demographics.insightface_v1 import InsightFaceV1


@pytest.mark.unit
def test_the_age_is_how_many_pairs_say_yes() -> None:
    """A woman for whom 31 of 100 pairs say yes, and a man for whom none does."""
    rows = np.zeros((2, 202), np.float32)
    rows[:, 2::2] = 1
    rows[0, 3 : 3 + 2 * 31 : 2] = 2
    rows[0, :2], rows[1, :2] = [np.log(3), 0], [0, np.log(9)]
    woman, man = InsightFaceV1(load_catalogue().spec("genderage_v1")).post({"fc1": rows})
    assert [(one.age, one.gender) for one in (woman, man)] == [(31, "female"), (0, "male")]
    assert [one.gender_score for one in (woman, man)] == pytest.approx([0.75, 0.9])


@pytest.mark.integration
def test_six_people(library: Library, six_faces: Path) -> None:
    """With the real weights: genders right, ages within 4 years of what the reference measured, from left to right."""
    pipeline = pipeline_with(library, "scrfd_2.5g", {Capability.DEMOGRAPHICS: "genderage_v1"})
    report = pipeline.analyze(open_picture(six_faces.read_bytes()), [Task.DEMOGRAPHICS])
    results = [one.results[Task.DEMOGRAPHICS] for one in sorted(report.faces, key=lambda one: one.face.box)]
    assert [one.gender for one in results] == ["female", "female", "male", "male", "male", "female"]
    assert [one.age for one in results] == pytest.approx([23, 24, 31, 31, 24, 23], abs=4)
