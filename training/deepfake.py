"""The deepfake detector: learns from the MesoNet set, split by video, made hard by all that happens to videos.

Twenty videos of a kind are few. What keeps the network from learning them by heart is the teacher's word on each crop
of theirs. Photographs are real, whatever the teacher says.
"""

from __future__ import annotations

from collections.abc import Iterable
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
from facesocial.capabilities import Capability
from facesocial.results import Image
from runners.crops import SquareCrop
from training.bank import Bank, bank
from training.blocks import hedged, pixels, trunk
from training.distortion import degrade, recolour
from training.loop import Batch, Losses, Schedule, device, fit
from training.pictures import Photograph, Whole, shoot
from training.teachers import teacher

SIDE: Final = 128
KEPT: Final = 176
"""Side at which crops are kept, in pixels: room to shift and zoom."""

BATCH: Final = 48
TRUTH, WORD, VIDEO = range(3)
"""Columns of labels: 1 for forged; the teacher's P(fake), 0 for the others; the video's number, theirs `NO_VIDEO`."""

NO_VIDEO: Final = -1
SEED: Final = 20261127
FOLDS: Final = 6


class Deepfake(nn.Module):
    """.37 M parameters, 116 MMAC. Input float32 [n, 3, 128, 128], BGR, −1 … 1; output [n, 1], a forgery's logit."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = trunk(24, 48, 96, 128)
        self.drop = nn.Dropout(0.3)
        self.fake = nn.Linear(128, 1)

    def forward(self, images: Tensor) -> Tensor:
        """See the class."""
        given: Tensor = self.fake(self.drop(self.trunk(images).mean(dim=(2, 3))))
        return given


@dataclass(frozen=True, slots=True)
class Crops:
    """Face crops, uint8 [n, 176, 176, 3] BGR; which are forged; the video each is from, clips of one shoot as one."""

    images: NDArray[np.uint8]
    fake: NDArray[np.bool_]
    groups: NDArray[np.str_]

    @classmethod
    def of(cls, data: Path) -> Crops:
        """The MesoNet set."""
        crops = list(datasets.mesonet(data))
        return cls(
            np.stack([_kept(crop.image) for crop in crops]),
            np.array([crop.positive for crop in crops]),
            np.array([shoot(f"mesonet/{crop.group}") for crop in crops]),
        )

    def select(self, rows: NDArray[np.bool_]) -> Crops:
        """Those of these rows."""
        return Crops(self.images[rows], self.fake[rows], self.groups[rows])

    @property
    def numbers(self) -> NDArray[np.int64]:
        """The video of each, by number."""
        return np.unique(self.groups, return_inverse=True)[1]

    def videos(self, fake: bool) -> list[NDArray[np.int64]]:
        """The rows of each video of this kind."""
        return [np.flatnonzero(self.groups == video) for video in np.unique(self.groups[self.fake == fake])]


def folds_of(groups: NDArray[np.str_], fake: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The fold of each crop: whole videos, real and forged ones spread evenly."""
    generator, folds = np.random.default_rng(SEED), np.zeros(len(groups), np.int64)
    for kind in (fake, ~fake):
        for number, video in enumerate(generator.permutation(np.unique(groups[kind]))):
            folds[groups == video] = number % FOLDS
    return folds


def others(photographs: Iterable[Photograph]) -> NDArray[np.uint8]:
    """Real faces that are from no video of the set, uint8 [n, 176, 176, 3] BGR: soft and sharp, small and large."""
    crop = SquareCrop(1.1, (KEPT, KEPT))
    cut = (
        crop.cut(Whole(photograph.image), photograph.faces[0])
        for photograph in photographs
        if photograph.origin in ("lfw", "people", "utkface") and photograph.faces
    )
    return np.stack([image for image in cut if image is not None])


def bank_of(crops: Crops, others: NDArray[np.uint8], size: int, folder: Path) -> Bank:
    """Crops of 128×128, as many forged as real, every video as often as another, labelled `TRUTH`, `WORD`, `VIDEO`.

    Of the real ones every fourth is one of the `others`.
    """
    return bank(lambda numbers: lesson(crops, others, numbers), size, folder, np.concatenate([crops.images, others]))


def lesson(crops: Crops, others: NDArray[np.uint8], numbers: range) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """See `training.bank.Lesson`."""
    images, labels = [], []
    videos, names = (crops.videos(fake=False), crops.videos(fake=True)), crops.numbers
    for number in numbers:
        generator, fake = np.random.default_rng((SEED, number)), number % 2 == 1
        rows = videos[fake][int(generator.integers(len(videos[fake])))]
        row = int(generator.choice(rows))
        other = number % 8 == 0
        varied = _varied(others[generator.integers(len(others))] if other else crops.images[row], generator)
        word = 0.0 if other else next(teacher(Capability.DEEPFAKE).read([(_enlarged(varied),)])).score
        images.append(cv2.resize(varied, (SIDE, SIDE), interpolation=cv2.INTER_AREA))
        labels.append((fake, word, NO_VIDEO if other else names[row]))
    return np.stack(images), np.array(labels, np.float32)


def split(crops: Crops, bank: Bank, fold: int | None) -> tuple[Bank, Crops | None]:
    """What is learned from when this fold is left out, and the fold; None: nothing is."""
    out = folds_of(crops.groups, crops.fake) == fold
    learned = bank.select(~np.isin(bank.labels[:, VIDEO], crops.numbers[out]))
    return learned, crops.select(out) if out.any() else None


def train(bank: Bank, judged: Crops | None, folder: Path, steps: int) -> nn.Module:
    """The trained network; `judged` are crops it has not seen, for the curve."""
    torch.manual_seed(SEED)
    return fit(
        Deepfake(),
        lambda step: bank.batch(step, BATCH),
        losses,
        Schedule.brief(steps, rate=2e-3),
        folder,
        Judge.of(judged).figures if judged else None,
    )


def losses(network: nn.Module, batch: Batch) -> Losses:
    """Is it forged? The truth and the teacher's word weigh the same."""
    images, labels = batch
    return {"cross": hedged(network(pixels(images))[:, 0], labels[:, (TRUTH, WORD)].mean(dim=1))}


def scores(network: nn.Module, images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """P(fake) of crops of 128×128."""
    place = device()
    with torch.no_grad():
        given = [network(pixels(part.to(place))) for part in torch.from_numpy(images).split(128)]
    return np.asarray(torch.cat(given)[:, 0].sigmoid().double().cpu().numpy())


@dataclass(frozen=True, slots=True)
class Judge:
    """Crops of 128×128 as the network sees them, as they are and each blurred, shrunk, made noisy and compressed."""

    plain: NDArray[np.uint8]
    degraded: NDArray[np.uint8]
    fake: NDArray[np.bool_]

    @classmethod
    def of(cls, crops: Crops) -> Judge:
        """The same crops always degrade alike."""
        plain = [
            np.asarray(cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR), np.uint8)
            for image in crops.images
        ]
        degraded = [degrade(image, np.random.default_rng((SEED, at)), 0.7) for at, image in enumerate(plain)]
        return cls(np.stack(plain), np.stack(degraded), crops.fake)

    def figures(self, network: nn.Module) -> dict[str, float]:
        """AUC on either."""
        return {
            "auc": auc(scores(network, self.plain), self.fake),
            "degraded": auc(scores(network, self.degraded), self.fake),
        }


def _varied(image: Image, generator: np.random.Generator) -> Image:
    """As a detector might have cut it, through a camera and a codec; 176×176."""
    turn, zoom = generator.normal(0, 5), float(np.exp(generator.normal(0.05, 0.08)))
    to_crop = cv2.getRotationMatrix2D((KEPT / 2, KEPT / 2), turn, zoom)
    to_crop[:, 2] = to_crop[:, 2] + generator.normal(0, 4, 2)
    crop = np.asarray(cv2.warpAffine(image, to_crop, (KEPT, KEPT), flags=cv2.INTER_LINEAR), np.uint8)
    crop = np.ascontiguousarray(crop[:, ::-1]) if generator.random() < 0.5 else crop
    return degrade(recolour(crop, generator), generator, 0.4)


def _enlarged(image: Image) -> Image:
    """As the teacher takes it."""
    return np.asarray(cv2.resize(image, (256, 256), interpolation=cv2.INTER_CUBIC), np.uint8)


def _kept(image: Image) -> Image:
    smaller = image.shape[0] > KEPT
    return np.asarray(
        cv2.resize(image, (KEPT, KEPT), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR), np.uint8
    )
