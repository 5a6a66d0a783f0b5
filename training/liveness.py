"""Liveness: a face near and with its surroundings. NUAA's prints show in the skin, made-up recaptures in the frame."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from cli.bench import datasets
from cli.bench.metrics import auc
from facesocial.results import Face, Image
from runners.crops import ShiftedCrop
from training.backgrounds import sample
from training.blocks import Residual, conv, pixels
from training.detector.sources import Source
from training.distortion import degrade, recolour
from training.loop import Batch, Losses, Schedule, device, fit
from training.recapture import recapture

SIDE: Final = 80
NEAR, WIDE = 1.0, 2.7
"""Side of either crop as a multiple of the face box; MiniFASNet's are 2.7 and 4."""

BATCH: Final = 48
SEED: Final = 20261129
SCENE: Final = 320


class Liveness(nn.Module):
    """One trunk for both crops. Inputs float32 [n, 3, 80, 80] BGR, −1 … 1: near, wide. Output [n, 1]: logit of live."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = nn.Sequential(
            conv(3, 16, 2), conv(16, 32, 2), Residual(32), conv(32, 64, 2), Residual(64), conv(64, 96, 2)
        )
        self.drop = nn.Dropout(0.3)
        self.live = nn.Linear(192, 1)

    def forward(self, near: Tensor, wide: Tensor) -> Tensor:
        """See the class."""
        both = torch.cat([self.trunk(near).mean(dim=(2, 3)), self.trunk(wide).mean(dim=(2, 3))], dim=1)
        return torch.as_tensor(self.live(self.drop(both)))


@dataclass(frozen=True, slots=True)
class Whole:
    """A picture as a source of crops, see `runners.crops.PixelSource`."""

    image: Image

    @property
    def width(self) -> int:
        """Pixels."""
        return int(self.image.shape[1])

    @property
    def height(self) -> int:
        """Pixels."""
        return int(self.image.shape[0])

    def at(self, resolution: float) -> Image:
        """Shrunk as a decoder would, by halves, so that bilinear sampling skips no pixel."""
        image = self.image
        while resolution <= 0.5 and min(image.shape[:2]) > 16:
            image = np.asarray(cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), np.uint8)
            resolution *= 2
        return image


def views(image: Image, box: tuple[float, float, float, float]) -> tuple[Image, Image]:
    """Near and wide, uint8 [80, 80, 3] BGR, as the service cuts them.

    Raises:
        ValueError: the box has no area.
    """
    face, source = Face(box, 1.0, None), Whole(image)
    near, wide = (ShiftedCrop(scale, (SIDE, SIDE)).cut(source, face) for scale in (NEAR, WIDE))
    if near is None or wide is None:
        raise ValueError("a box without area")
    return near, wide


@dataclass(frozen=True, slots=True)
class Attempts:
    """NUAA's crops, whether each is live, and the person."""

    images: tuple[Image, ...]
    live: NDArray[np.bool_]
    persons: NDArray[np.str_]

    @classmethod
    def of(cls, data: Path) -> Attempts:
        """All of them."""
        crops = list(datasets.nuaa(data))
        return cls(
            tuple(crop.image for crop in crops),
            np.array([crop.positive for crop in crops]),
            np.array([crop.group for crop in crops]),
        )

    def select(self, rows: NDArray[np.bool_]) -> Attempts:
        """Those of these rows."""
        return Attempts(tuple(self.images[at] for at in np.flatnonzero(rows)), self.live[rows], self.persons[rows])


@dataclass(frozen=True, slots=True)
class Material:
    """What is learned from: real attempts, and pictures of people to be recaptured before backgrounds."""

    attempts: Attempts
    people: list[Source]
    backgrounds: list[Image]


def train(material: Material, folder: Path, steps: int, judged: Attempts | None = None) -> nn.Module:
    """The trained network; `judged` are persons it has not seen, for the curve."""
    torch.manual_seed(SEED)
    comparable = judged is not None and 0 < judged.live.sum() < len(judged.live)
    return fit(
        Liveness(),
        lambda step: batch(material, step),
        losses,
        Schedule(steps, rate=2e-3, warmup=100, decay=0.05, averaging=100, log=50),
        folder,
        (lambda network: {"auc": auc(scores(network, judged.images), judged.live)}) if judged and comparable else None,
        judge_every=500,
    )


def batch(material: Material, step: int) -> Batch:
    """A third NUAA, two thirds pictures of people, half of them recaptured."""
    generator = np.random.default_rng((SEED, step))
    rows = [_attempt(material, generator) if row % 3 == 0 else _picture(material, generator) for row in range(BATCH)]
    near, wide, live = zip(*rows, strict=True)
    return np.stack(near), np.stack(wide), np.array(live, np.float32)


def losses(network: nn.Module, batch: Batch) -> Losses:
    """Cross entropy; nobody is surer than 95 %."""
    near, wide, live = batch
    given = network(pixels(near), pixels(wide))[:, 0]
    return {"cross": nn.functional.binary_cross_entropy_with_logits(given, live * 0.9 + 0.05)}


def scores(network: nn.Module, crops: tuple[Image, ...]) -> NDArray[np.float64]:
    """P(live) of crops that are the face box themselves."""
    near, wide = (
        np.stack(side)
        for side in zip(*(views(crop, (0, 0, crop.shape[1], crop.shape[0])) for crop in crops), strict=True)
    )
    place = device()
    with torch.no_grad():
        given = network(*(pixels(torch.from_numpy(side).to(place)) for side in (near, wide)))
    return np.asarray(given[:, 0].sigmoid().double().cpu().numpy())


def _attempt(material: Material, generator: np.random.Generator) -> tuple[Image, Image, bool]:
    """A person, then live or not, then a crop; moved and coloured, hardly blurred: what gives a print away is fine."""
    attempts = material.attempts
    person, live = generator.choice(np.unique(attempts.persons)), generator.random() < 0.5
    rows = np.flatnonzero((attempts.persons == person) & (attempts.live == live))
    if not len(rows):
        rows = np.flatnonzero(attempts.persons == person)
    at = int(generator.choice(rows))
    image = attempts.images[at]
    side = image.shape[0]
    inset = np.abs(generator.normal(0, 0.03 * side, 4))
    image = _changed(image, generator, 0.1)
    near, wide = views(image, (inset[0], inset[1], side - inset[2], side - inset[3]))
    return near, wide, bool(attempts.live[at])


def _picture(material: Material, generator: np.random.Generator) -> tuple[Image, Image, bool]:
    source = material.people[int(generator.integers(len(material.people)))]
    source = source.mirrored() if generator.random() < 0.5 else source
    box = tuple(float(edge) for edge in source.boxes[0])
    image, live = source.image, generator.random() < 0.5
    if not live:
        behind = sample(material.backgrounds, generator, SCENE)
        image, box = recapture(image, (box[0], box[1], box[2], box[3]), behind, generator)
    near, wide = views(_changed(image, generator, 0.25), (box[0], box[1], box[2], box[3]))
    return near, wide, live


def _changed(image: Image, generator: np.random.Generator, chance: float) -> Image:
    return degrade(recolour(image, generator, 0.7), generator, chance)
