"""Faces that nobody has: blends and warps of aligned portraits. The teacher says who they look like."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from facesocial.results import Image, Tensor
from runners.crops import ARCFACE_TEMPLATE
from training.distortion import cover, degrade, recolour
from training.portraits import MARGIN, SIDE

REAL: Final = 0.25
"""Share of portraits as they are: nothing but blends would be faces smoother than any camera's."""

_GRID: Final = np.stack(np.meshgrid(np.arange(SIDE), np.arange(SIDE)), axis=-1).astype(np.float32)


class Faces:
    """An endless supply of 112×112 crops, every one drawn from its own number.

    Args:
        images: uint8 [n, 160, 160, 3], see `Portraits`.
        weights: how often each is drawn, relative to the others.
        seed: of the whole supply.
    """

    def __init__(self, images: NDArray[np.uint8], weights: Tensor, seed: int) -> None:
        self._images = images
        self._cumulative = np.cumsum(weights, dtype=np.float64) / weights.sum(dtype=np.float64)
        self._seed = seed

    def crop(self, number: int, margin: int = 0) -> Image:
        """uint8 [112 + 2·margin, …, 3] BGR, aligned as usual in its middle: the same number gives the same pixels."""
        generator = np.random.default_rng((self._seed, number))
        image = self._draw(generator)
        if generator.random() > REAL:
            image = warp(image, generator)
            for _ in range(1 + int(generator.random() < 0.35)):
                image = blend(image, warp(self._draw(generator), generator), generator)
        image = place(image, generator, margin)
        image = recolour(image, generator, 0.8)
        if generator.random() < 0.08:
            image = cover(image, generator)
        return degrade(image, generator, 0.2)

    def _draw(self, generator: np.random.Generator) -> Image:
        return mirrored(
            self._images[int(np.searchsorted(self._cumulative, generator.random(), side="right"))], generator
        )


def varied(portrait: Image, generator: np.random.Generator) -> Image:
    """uint8 [112, 112, 3] of a portrait: still the person it was."""
    return degrade(recolour(place(mirrored(portrait, generator), generator), generator, 0.6), generator, 0.15)


def mirrored(image: Image, generator: np.random.Generator) -> Image:
    """Or not."""
    return np.asarray(image[:, ::-1] if generator.random() < 0.5 else image, np.uint8)


def blend(one: Image, other: Image, generator: np.random.Generator) -> Image:
    """Both mixed, by one share everywhere or by a soft mask that gives each its parts of the face."""
    if generator.random() < 0.5:
        share: Tensor | float = float(generator.uniform(0.3, 0.7))
    else:
        coarse = generator.uniform(0, 1, (4, 4)).astype(np.float32)
        soft = cv2.resize(coarse, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)[:, :, None]
        share = np.clip((soft - 0.5) * np.float32(generator.uniform(1, 4)) + 0.5, 0, 1)
    return np.asarray(one * share + other * (1 - share), np.uint8)


def warp(image: Image, generator: np.random.Generator) -> Image:
    """Moves eyes, nose and mouth by some pixels each, smoothly: another face's proportions."""
    coarse = generator.normal(0, 2.5, (5, 5, 2)).astype(np.float32)
    field = cv2.resize(coarse, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    for point in ARCFACE_TEMPLATE + np.float32(MARGIN):
        near = np.exp(-((_GRID - point) ** 2).sum(axis=2) / np.float32(2 * 16**2))
        field += near[:, :, None] * generator.normal(0, 1.5, 2).astype(np.float32)
    to = _GRID + field
    moved = cv2.remap(image, to[:, :, 0], to[:, :, 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    return np.asarray(moved, np.uint8)


def place(image: Image, generator: np.random.Generator, margin: int = 0) -> Image:
    """The 112×112 crop and `margin` pixels around it, off by what landmarks may be: some pixels, degrees, per cent."""
    turn, zoom = generator.normal(0, 3.5), float(np.exp(generator.normal(0, 0.04)))
    to_crop = cv2.getRotationMatrix2D((SIDE / 2, SIDE / 2), turn, zoom)
    to_crop[:, 2] = to_crop[:, 2] + generator.normal(0, 1.5, 2) - MARGIN + margin
    side = 112 + 2 * margin
    placed = cv2.warpAffine(image, to_crop, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(placed, np.uint8)
