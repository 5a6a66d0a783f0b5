"""A picture shown in many ways, and how far landmarks are off."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from cli.bench.accuracy import open_picture
from cli.bench.datasets import encoded, read
from facesocial.results import Face, Image
from training.detector.views import VIEWS, View, apart, settled
from training.pictures import DOUBT, Photograph
from training.teachers import finder

pytestmark = pytest.mark.unit

POINTS = np.array([[20, 20], [60, 20], [40, 40], [25, 60], [55, 60]], np.float32)


def test_four_pixels_of_forty_between_the_eyes_are_a_tenth() -> None:
    ours = Face((0, 0, 80, 80), 1.0, POINTS + np.array([4, 0], np.float32))
    assert apart(ours, Face((0, 0, 80, 80), 1.0, POINTS)) == pytest.approx(0.1)


@pytest.mark.parametrize("view", VIEWS, ids=str)
def test_what_is_seen_in_a_view_is_found_again_in_the_picture(view: View) -> None:
    """The middle of a bright square, left of the middle."""
    image = np.zeros((100, 120, 3), np.uint8)
    image[40:60, 20:40] = 255
    shown = view.of(image)
    assert shown.shape[1] == round(120 * view.scale) + view.shift
    rows, columns = np.nonzero(shown[:, :, 0] > 127)
    place = float(columns.min() + columns.max() + 1) / 2, float(rows.min() + rows.max() + 1) / 2
    seen = Face((*place, *place), 1.0, np.array([place] * 5, np.float32))
    back = view.undone(seen, 120)
    assert np.abs(np.asarray(back.landmarks) - (30, 50)).max() < 1
    assert np.abs(np.array(back.box) - (30, 50, 30, 50)).max() < 1


def test_left_and_right_stay_what_they_are() -> None:
    back = View(True, 1.0, 0).undone(Face((20, 20, 80, 80), 1.0, POINTS), 100)
    assert list(back.box) == [20, 20, 80, 80]
    assert np.array(back.landmarks)[:2].tolist() == [[40, 20], [80, 20]], "the left eye was the right one there"


@pytest.mark.usefixtures("teachers")
def test_the_median_does_not_depend_on_how_the_teacher_was_asked(six_faces: Path) -> None:
    """What it says at once of the mirrored picture is something else by a twentieth of the distance of the eyes."""
    mirror = View(True, 1.0, 0)
    picture = _photograph(read(six_faces))
    mirrored = _photograph(mirror.of(picture.image))
    width = picture.image.shape[1]
    one, other = settled(picture).faces, settled(mirrored).faces
    assert len(one) == 6
    first = [_nearest(mirror.undone(face, width), picture.faces) for face in mirrored.faces]
    median = [_nearest(mirror.undone(face, width), one) for face in other]
    assert np.mean(median) < 0.03 < 0.05 < np.mean(first)


def _photograph(image: Image) -> Photograph:
    reports = finder().detect(open_picture(encoded(image)), DOUBT, 50).faces
    return Photograph(image, "people", "", "", tuple(report.face for report in reports))


def _nearest(face: Face, others: Sequence[Face]) -> float:
    return min(apart(face, other) for other in others)
