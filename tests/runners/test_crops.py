"""Crops: where their pixels come from, and at which resolution."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facesocial.results import Face, Image
from runners.crops import ARCFACE_TEMPLATE, AlignedCrop, ShiftedCrop, SquareCrop, similarity

pytestmark = pytest.mark.unit


@dataclass
class Source:
    """A picture held at full size; remembers what was asked of it."""

    image: Image
    asked: list[float] = field(default_factory=list)

    @property
    def width(self) -> int:
        """Pixels."""
        return int(self.image.shape[1])

    @property
    def height(self) -> int:
        """Pixels."""
        return int(self.image.shape[0])

    def at(self, resolution: float) -> Image:
        """Halved as often as allowed."""
        self.asked.append(resolution)
        image = self.image
        for level in (1, 2, 3):
            if 0.5**level < resolution:
                break
            image = np.asarray(
                cv2.resize(self.image, None, fx=0.5**level, fy=0.5**level, interpolation=cv2.INTER_AREA), np.uint8
            )
        return image


def gradient(width: int, height: int) -> Image:
    """Blue rises to the right, green downwards: a colour names a place."""
    x = np.linspace(0, 255, width)[None].repeat(height, 0)
    y = np.linspace(0, 255, height)[:, None].repeat(width, 1)
    return np.stack([x, y, np.zeros_like(x)], axis=-1).astype(np.uint8)


@given(angle=st.floats(-3, 3), scale=st.floats(0.1, 10), x=st.floats(-500, 500), y=st.floats(-500, 500))
def test_similarity_undoes_any_rotation_scale_and_shift(angle: float, scale: float, x: float, y: float) -> None:
    """Least squares on exact points is exact."""
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    moved = (ARCFACE_TEMPLATE @ turn.T + [x, y]).astype(np.float32)
    back = similarity(moved, ARCFACE_TEMPLATE)
    assert back is not None
    assert np.allclose(moved @ back[:, :2].T + back[:, 2], ARCFACE_TEMPLATE, atol=0.1)


def test_similarity_of_one_point_five_times() -> None:
    """There is no such transform; nothing is divided by zero."""
    assert similarity(np.full((5, 2), 7, np.float32), ARCFACE_TEMPLATE) is None
    assert similarity(np.full((5, 2), np.nan, np.float32), ARCFACE_TEMPLATE) is None


def test_aligned_crop_brings_landmarks_to_the_template() -> None:
    """A dot painted at each landmark lands on ArcFace's template."""
    image = np.zeros((400, 400, 3), np.uint8)
    landmarks = (ARCFACE_TEMPLATE * 2 + 60).astype(np.float32)
    for x, y in landmarks:
        cv2.circle(image, (round(float(x)), round(float(y))), 3, (255, 255, 255), -1)
    crop = AlignedCrop().cut(Source(image), Face((60, 60, 284, 284), 1.0, landmarks))
    assert crop is not None
    assert crop.shape == (112, 112, 3)
    for x, y in ARCFACE_TEMPLATE:
        assert crop[round(float(y)), round(float(x))].min() > 128


@pytest.mark.parametrize("level", [1, 2, 3])
def test_aligned_crop_lies_the_same_at_every_resolution(level: int) -> None:
    """A soft spot lands where the transform says, to a tenth of a pixel, though read at a reduced size."""
    scale = 2**level
    x, y = 80.0 * scale, 90.0 * scale
    rows, columns = np.mgrid[: 150 * scale, : 150 * scale]
    spot = 250 * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * (6 * scale) ** 2))
    image = np.repeat(spot[:, :, None], 3, axis=2).astype(np.uint8)
    landmarks = (ARCFACE_TEMPLATE * scale + 30 * scale).astype(np.float32)
    source = Source(image)
    crop = AlignedCrop().cut(source, Face((0, 0, 9, 9), 1.0, landmarks))
    assert source.asked == [pytest.approx(1 / scale)]
    assert crop is not None
    weights = crop[:, :, 0].astype(float)
    v, u = np.mgrid[:112, :112]
    centre = (weights * u).sum() / weights.sum(), (weights * v).sum() / weights.sum()
    assert centre == pytest.approx((x / scale - 30, y / scale - 30), abs=0.1)


def test_aligned_crop_needs_landmarks() -> None:
    """No landmarks, no crop: the caller says why."""
    assert AlignedCrop().cut(Source(gradient(64, 64)), Face((0, 0, 64, 64), 1.0, None)) is None


def test_square_crop_equals_resize_of_the_square() -> None:
    """Where nothing is outside, a square crop is cv2.resize of that square."""
    image = np.random.default_rng(0).integers(0, 255, (300, 300, 3)).astype(np.uint8)
    crop = SquareCrop(1.0, (112, 112)).cut(Source(image), Face((50, 60, 190, 200), 1.0, None))
    assert crop is not None
    expected = cv2.resize(image[60:200, 50:190], (112, 112)).astype(int)
    assert np.abs(crop.astype(int) - expected).mean() < 1.5


def test_square_crop_is_black_outside_the_picture() -> None:
    """The part that reaches out is zero."""
    crop = SquareCrop(2.0, (100, 100)).cut(
        Source(np.full((100, 100, 3), 200, np.uint8)), Face((0, 0, 100, 100), 1, None)
    )
    assert crop is not None
    assert crop[5, 5].max() == 0
    assert crop[50, 50].min() == 200


def test_square_crop_rectangle_maps_back() -> None:
    """`rectangle` is where the crop came from."""
    assert SquareCrop(1.5, (10, 10)).rectangle(Face((10, 20, 30, 60), 1, None)) == (-10, 10, 50, 70)


def test_shifted_crop_stays_inside() -> None:
    """A face in the corner: the crop moves instead of reaching out, and shrinks to fit."""
    image = gradient(200, 100)
    crop = ShiftedCrop(4.0, (80, 80)).cut(Source(image), Face((0, 0, 40, 40), 1, None))
    assert crop is not None
    assert crop[0, 0].tolist()[:2] == pytest.approx([0, 0], abs=6)
    assert crop[79, 79, 1] == pytest.approx(255, abs=6), "the whole height is used"
    assert crop[:, :, 0].max() < 140, "the width is scaled by the same factor"


@pytest.mark.parametrize("crop", [ShiftedCrop(2.7, (80, 80)), SquareCrop(1.0, (112, 112))])
def test_a_box_without_area_gives_nothing(crop: ShiftedCrop | SquareCrop) -> None:
    """Nothing is divided by zero."""
    assert crop.cut(Source(gradient(64, 64)), Face((5, 5, 5, 30), 1, None)) is None


@pytest.mark.parametrize("width", [56, 112, 224, 448, 896])
def test_crops_ask_for_the_resolution_they_need(width: int) -> None:
    """A face of twice the crop's size is read at half resolution; a small one at full."""
    source = Source(gradient(1000, 1000))
    SquareCrop(1.0, (112, 112)).cut(source, Face((0, 0, width, width), 1, None))
    assert source.asked == [pytest.approx(min(1.0, 112 / width))]


def test_equal_rules_are_equal() -> None:
    """So that equal crops are cut once."""
    assert len({AlignedCrop(), AlignedCrop(), SquareCrop(1, (9, 9)), SquareCrop(1, (9, 9))}) == 2


def test_a_margin_is_more_of_the_same() -> None:
    """The middle is what is cut without."""
    face = Face((40, 40, 160, 180), 1.0, (ARCFACE_TEMPLATE * 1.3 + 30).astype(np.float32))
    plain, wide = (AlignedCrop(margin=margin).cut(Source(gradient(220, 220)), face) for margin in (0, 24))
    assert plain is not None
    assert wide is not None
    assert wide.shape == (160, 160, 3)
    assert cv2.absdiff(wide[24:-24, 24:-24], plain).max() <= 1
