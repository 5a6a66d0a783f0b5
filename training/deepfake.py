"""The deepfake detector: learns from the MesoNet set, split by video, made hard by all that happens to videos."""

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
from facesocial.results import Image
from training.blocks import Residual, conv, pixels
from training.distortion import degrade, recolour
from training.loop import Batch, Losses, Schedule, device, fit

SIDE: Final = 128
KEPT: Final = 176
"""Side at which crops are kept, in pixels: room to shift and zoom."""

BATCH: Final = 48
SEED: Final = 20261127
FOLDS: Final = 5


class Deepfake(nn.Module):
    """.37 M parameters, 116 MMAC. Input float32 [n, 3, 128, 128], BGR, −1 … 1; output [n, 1], a forgery's logit."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = nn.Sequential(
            conv(3, 24, 2),
            conv(24, 48, 2),
            Residual(48),
            conv(48, 96, 2),
            Residual(96),
            conv(96, 128, 2),
        )
        self.drop = nn.Dropout(0.3)
        self.fake = nn.Linear(128, 1)

    def forward(self, images: Tensor) -> Tensor:
        """See the class."""
        return torch.as_tensor(self.fake(self.drop(self.trunk(images).mean(dim=(2, 3)))))


@dataclass(frozen=True, slots=True)
class Crops:
    """Face crops, uint8 [n, 176, 176, 3] BGR; which are forged; and the video each is from."""

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
            np.array([crop.group for crop in crops]),
        )

    def select(self, rows: NDArray[np.bool_]) -> Crops:
        """Those of these rows."""
        return Crops(self.images[rows], self.fake[rows], self.groups[rows])

    def folds(self) -> NDArray[np.int64]:
        """The fold of each crop: whole videos, real and forged ones spread evenly."""
        names = sorted(set(self.groups.tolist()))
        order = np.random.default_rng(SEED).permutation(len(names))
        number = dict.fromkeys(names, 0)
        for kind in (True, False):
            mine = [names[at] for at in order if names[at].startswith("deepfake/") is kind]
            number |= {name: at % FOLDS for at, name in enumerate(mine)}
        return np.array([number[group] for group in self.groups.tolist()])


def train(crops: Crops, folder: Path, steps: int, judged: Crops | None = None) -> nn.Module:
    """The trained network; `judged` are crops it has not seen, for the curve."""
    torch.manual_seed(SEED)
    return fit(
        Deepfake(),
        lambda step: batch(crops, step),
        losses,
        Schedule(steps, rate=2e-3, warmup=100, decay=0.05, averaging=100, log=50),
        folder,
        (lambda network: figures(network, judged)) if judged else None,
        judge_every=500,
    )


def batch(crops: Crops, step: int) -> Batch:
    """As many forged as real ones, every video as often as another."""
    generator = np.random.default_rng((SEED, step))
    images, labels = [], []
    for row in range(BATCH):
        fake = row % 2 == 0
        video = generator.choice(np.unique(crops.groups[crops.fake == fake]))
        at = generator.choice(np.flatnonzero(crops.groups == video))
        images.append(_varied(crops.images[at], generator))
        labels.append(fake)
    return np.stack(images), np.array(labels, np.float32)


def losses(network: nn.Module, batch: Batch) -> Losses:
    """Cross entropy; nobody is surer than 95 %, for the labels are those of whole videos."""
    images, labels = batch
    given = network(pixels(images))[:, 0]
    return {"cross": nn.functional.binary_cross_entropy_with_logits(given, labels * 0.9 + 0.05)}


def scores(network: nn.Module, images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """P(fake) of crops of 128×128."""
    place = device()
    with torch.no_grad():
        given = [network(pixels(part.to(place))) for part in torch.from_numpy(images).split(128)]
    return np.asarray(torch.cat(given)[:, 0].sigmoid().double().cpu().numpy())


def figures(network: nn.Module, crops: Crops) -> dict[str, float]:
    """AUC as they are, and degraded."""
    return {
        "auc": auc(scores(network, seen(crops)), crops.fake),
        "degraded": auc(scores(network, seen(crops, degraded=True)), crops.fake),
    }


def seen(crops: Crops, degraded: bool = False) -> NDArray[np.uint8]:
    """The crops as the network sees them, 128×128; `degraded`: each blurred, shrunk, made noisy and compressed."""
    images = [_shrunk(image) for image in crops.images]
    if degraded:
        images = [degrade(image, np.random.default_rng((SEED, at)), 0.7) for at, image in enumerate(images)]
    return np.stack(images)


def _varied(image: Image, generator: np.random.Generator) -> Image:
    """As a detector might have cut it, through a camera and a codec."""
    turn, zoom = generator.normal(0, 5), SIDE / KEPT * float(np.exp(generator.normal(0.05, 0.08)))
    to_crop = cv2.getRotationMatrix2D((KEPT / 2, KEPT / 2), turn, zoom)
    to_crop[:, 2] = to_crop[:, 2] + generator.normal(0, 3, 2) - (KEPT - SIDE) / 2
    crop = np.asarray(cv2.warpAffine(image, to_crop, (SIDE, SIDE), flags=cv2.INTER_LINEAR), np.uint8)
    crop = np.ascontiguousarray(crop[:, ::-1]) if generator.random() < 0.5 else crop
    return degrade(recolour(crop, generator), generator, 0.4)


def _shrunk(image: Image) -> Image:
    return np.asarray(cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR), np.uint8)


def _kept(image: Image) -> Image:
    smaller = image.shape[0] > KEPT
    return np.asarray(
        cv2.resize(image, (KEPT, KEPT), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR), np.uint8
    )
