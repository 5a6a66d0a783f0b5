"""Pixels to tensors: order, scale, shift."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from facesocial.results import Image
from models.spec import Preprocessing
from runners.tensors import softmax, to_nchw

pytestmark = pytest.mark.unit

IMAGENET = Preprocessing(color="rgb", scale=1 / 255, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))


@pytest.fixture
def images() -> list[Image]:
    """Three pictures of noise."""
    return list(np.random.default_rng(0).integers(0, 256, (3, 20, 30, 3)).astype(np.uint8))


@pytest.mark.parametrize(
    "preprocessing",
    [
        Preprocessing(color="bgr"),
        Preprocessing(color="rgb"),
        Preprocessing(color="rgb", mean=(127.5,) * 3, std=(128.0,) * 3),
        IMAGENET,
    ],
)
def test_formula(images: list[Image], preprocessing: Preprocessing) -> None:
    """(pixel · scale − mean) / std per channel, against the plain formula."""
    ordered = np.stack([image if preprocessing.color == "bgr" else image[:, :, ::-1] for image in images])
    expected = (ordered * preprocessing.scale - np.array(preprocessing.mean)) / np.array(preprocessing.std)
    tensor = to_nchw(images, preprocessing)
    assert tensor.dtype == np.float32
    assert tensor.shape == (3, 3, 20, 30)
    assert np.allclose(tensor, expected.transpose(0, 3, 1, 2), atol=1e-5)


def test_agrees_with_opencv(images: list[Image]) -> None:
    """The slower way of others gives the same."""
    blob = cv2.dnn.blobFromImages(images, 1 / 128, (30, 20), (127.5,) * 3, swapRB=True)
    ours = to_nchw(images, Preprocessing(color="rgb", mean=(127.5,) * 3, std=(128.0,) * 3))
    assert np.allclose(ours, np.asarray(blob), atol=1e-5)


def test_softmax_of_large_logits() -> None:
    """No overflow; rows sum to one."""
    rows = softmax(np.array([[1000.0, 0.0, -1000.0], [0.0, 0.0, 0.0]], np.float32))
    assert np.allclose(rows, np.array([[1, 0, 0], [1 / 3, 1 / 3, 1 / 3]]))
