"""Scenes: pictures and cut-out faces of all sizes on pictures without a face."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from facesocial.results import Image
from training.backgrounds import sample
from training.detector.sources import Source
from training.distortion import degrade, recolour

SIDE: Final = 320
SMALLEST, LARGEST = 9.0, 300.0
"""Side of a face (geometric mean of its box, pixels) to be learned."""

SEEN, HIDDEN = 0.6, 0.15
"""A face that shows this share of its box is one; below the other it is none; between the two nothing is learned."""

EMPTY: Final = 0.25
"""Share of scenes without any face."""

CLOSE: Final = 0.2
"""Share of scenes that are one face, large and near the middle: portraits, passports, cameras of laptops."""

NEAR: Final = 110.0
"""Side from which a face is large, pixels."""

PAINTED_OUT: Final = 0.15
"""Share of pictures whose first face is painted out: hair, collars and hands are no face."""


@dataclass(frozen=True, slots=True)
class Scene:
    """See `training.detector.targets.targets`; the image is uint8 [320, 320, 3] BGR."""

    image: Image
    boxes: NDArray[np.float32]
    points: NDArray[np.float32]
    known: NDArray[np.bool_]


class Stage:
    """Makes a scene of every number."""

    def __init__(self, sources: list[Source], backgrounds: list[Image], seed: int) -> None:
        self._sources = sources
        self._backgrounds = backgrounds
        self._seed = seed

    def scene(self, number: int) -> Scene:
        """The same number gives the same scene."""
        generator = np.random.default_rng((self._seed, number))
        image = sample(self._backgrounds, generator, SIDE)
        owner = np.zeros((SIDE, SIDE), np.int16)
        parts: list[tuple[int, NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_]]] = []
        if generator.random() > EMPTY:
            placements = _placements(generator)
            for part, placement in enumerate(placements, 1):
                source = self._sources[int(generator.integers(len(self._sources)))]
                source = source.mirrored() if generator.random() < 0.5 else source
                faceless = generator.random() < PAINTED_OUT
                mask = _hole(source) if faceless else _mask(source, generator)
                turned = _paste(image, owner, part, source, mask, placement, generator)
                rows = slice(int(faceless), None)
                parts.append((part, turned[0][rows], turned[1][rows], source.known[rows]))
        image = degrade(recolour(image, generator), generator, 0.25)
        if not parts:
            return Scene(image, np.zeros((0, 4), np.float32), np.zeros((0, 5, 2), np.float32), np.zeros(0, np.bool_))
        boxes, points, known = (np.concatenate([part[column] for part in parts]) for column in (1, 2, 3))
        owners = np.concatenate([np.full(len(part[1]), part[0]) for part in parts])
        shown = np.array([_shown(owner, int(one), box) for one, box in zip(owners, boxes, strict=True)])
        sizes = np.sqrt(np.prod(boxes[:, 2:] - boxes[:, :2], axis=1))
        keep = shown >= HIDDEN
        known &= (shown >= SEEN) & (sizes >= SMALLEST) & (sizes <= LARGEST * 1.2)
        return Scene(image, boxes[keep], points[keep], known[keep])


@dataclass(frozen=True, slots=True)
class _Placement:
    """Where a face comes to lie: side and centre, pixels."""

    side: float
    centre: NDArray[np.float64]


def _placements(generator: np.random.Generator) -> list[_Placement]:
    """A close-up, a crowd, or a few."""
    if generator.random() < CLOSE / (1 - EMPTY):
        return [_Placement(_side(generator, NEAR, LARGEST), generator.uniform(0.35, 0.65, 2) * SIDE)]
    crowd = generator.random() < 0.35
    count, most = int(generator.integers(4, 14) if crowd else generator.integers(1, 5)), 90.0 if crowd else LARGEST
    return [
        _Placement(_side(generator, SMALLEST, most), generator.uniform(-0.05, 1.05, 2) * SIDE) for _ in range(count)
    ]


def _side(generator: np.random.Generator, least: float, most: float) -> float:
    return float(np.exp(generator.uniform(np.log(least), np.log(most))))


def _paste(
    image: Image,
    owner: NDArray[np.int16],
    part: int,
    source: Source,
    mask: NDArray[np.float32],
    placement: _Placement,
    generator: np.random.Generator,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Lays what the mask lets through of a picture onto the scene; gives its boxes and landmarks there."""
    x1, y1, x2, y2 = source.boxes[0].astype(np.float64)
    middle, size = np.array([(x1 + x2) / 2, (y1 + y2) / 2]), np.sqrt((x2 - x1) * (y2 - y1))
    scale = placement.side / float(size)
    turn = float(np.clip(generator.normal(0, 9), -30, 30))
    to_scene = cv2.getRotationMatrix2D((float(middle[0]), float(middle[1])), turn, scale)
    to_scene[:, 2] = to_scene[:, 2] + placement.centre - middle
    pixels, from_pixels = source.image, to_scene.copy()
    if scale < 0.5:  # bilinear alone would skip pixels
        share = max(2 * scale, 8 / min(pixels.shape[:2]))
        pixels = np.asarray(cv2.resize(pixels, None, fx=share, fy=share, interpolation=cv2.INTER_AREA), np.uint8)
        mask = np.asarray(cv2.resize(mask, pixels.shape[1::-1], interpolation=cv2.INTER_AREA), np.float32)
        from_pixels[:, :2] = to_scene[:, :2] / share
        from_pixels[:, 2] += to_scene[:, :2].sum(axis=1) * (1 / share - 1) / 2  # pixel centres: see AlignedCrop
    rows, columns = _covered(pixels.shape[1], pixels.shape[0], from_pixels)
    if rows.start < rows.stop and columns.start < columns.stop:
        from_pixels[:, 2] -= columns.start, rows.start
        size = columns.stop - columns.start, rows.stop - rows.start
        pixels = recolour(pixels, generator, 0.6)
        laid, opacity = (cv2.warpAffine(layer, from_pixels, size) for layer in (pixels, mask))
        image[rows, columns] = cv2.blendLinear(laid, image[rows, columns], opacity, 1 - opacity)
        owner[rows, columns][opacity > 0.5] = part
    points = source.points @ to_scene[:, :2].T + to_scene[:, 2]
    centres = (source.boxes[:, :2] + source.boxes[:, 2:]) / 2 @ to_scene[:, :2].T + to_scene[:, 2]
    halves = (source.boxes[:, 2:] - source.boxes[:, :2]) * scale / 2
    boxes = np.concatenate([centres - halves, centres + halves], axis=1)
    return boxes.astype(np.float32), points.astype(np.float32)


def _covered(width: int, height: int, to_scene: NDArray[Any]) -> tuple[slice, slice]:
    """Rows and columns of the scene that a picture of this size may reach; empty when it lies outside."""
    corners = np.array([(0, 0, 1), (width, 0, 1), (0, height, 1), (width, height, 1)]) @ to_scene.T
    low = np.clip(np.floor(corners.min(axis=0)), 0, SIDE).astype(int).tolist()
    high = np.clip(np.ceil(corners.max(axis=0)) + 1, 0, SIDE).astype(int).tolist()
    return slice(low[1], high[1]), slice(low[0], high[0])


def _mask(source: Source, generator: np.random.Generator) -> NDArray[np.float32]:
    """float32 [h, w]: the whole picture, or a soft oval that is the face with more or less about it."""
    if generator.random() < 0.4:
        return np.ones(source.image.shape[:2], np.float32)
    wide, high = generator.uniform(0.6, 1.1, 2)
    return _oval(source, float(wide), float(high))


def _hole(source: Source) -> NDArray[np.float32]:
    """float32 [h, w]: the picture without its first face."""
    return 1 - _oval(source, 0.75, 0.75)


def _oval(source: Source, wide: float, high: float) -> NDArray[np.float32]:
    """Soft, about the first face; half axes in sides of its box."""
    x1, y1, x2, y2 = source.boxes[0].tolist()
    mask = np.zeros(source.image.shape[:2], np.float32)
    axes = max(1, round((x2 - x1) * wide)), max(1, round((y2 - y1) * high))
    cv2.ellipse(mask, (round((x1 + x2) / 2), round((y1 + y2) / 2)), axes, 0, 0, 360, 1.0, -1)
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), max(0.5, (x2 - x1) * 0.04)), np.float32)


def _shown(owner: NDArray[np.int16], part: int, box: NDArray[np.float32]) -> float:
    """Share of the box that lies in the scene under nothing else."""
    x1, y1, x2, y2 = (round(float(edge)) for edge in box)
    inside = owner[max(0, y1) : max(0, y2), max(0, x1) : max(0, x2)]
    return float((inside == part).sum() / max(1, (x2 - x1) * (y2 - y1)))
