"""Age and gender: the embedder's trunk, taught by the teacher on faces real and made up, and by a few with a label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from facesocial import results
from facesocial.capabilities import Capability
from training.bank import Bank, bank
from training.blocks import pixels
from training.embedder import Embedder
from training.loop import Batch, Losses, Schedule, device, fit
from training.morphs import Faces, varied
from training.portraits import MARGIN, Portraits
from training.teachers import teacher

SIDE: Final = 80
BATCH: Final = 64
LABELLED: Final = 6
"""Of a batch, faces whose age and gender are known; the teacher speaks of the others."""

SEED: Final = 20261128
FOLDS: Final = 5
NO_FOLD: Final = -1
YEARS, FEMALE, FOLD = range(3)
"""Columns of labels; the fold is there in the bank alone."""

AGES: Final = np.arange(0, 101, 5, dtype=np.float32)
"""Age is read as the mean over these, in years: steadier than one number (Rothe et al. 2015, DEX)."""

SPREAD: Final = 5.0
"""How far a label reaches to neighbouring ages, years."""

GENDER: Final = 3.0
"""Weight of the gender's loss: with 1 it learns the ages."""

SURER: Final = 2.0
"""Exponent of the odds that the teacher gives for the gender: it is right more often than it is sure."""

WINDOW: Final = (slice(35, 143), slice(26, 134))
"""Rows and columns of a portrait that a square about YuNet's box shows, the teacher's crop: the median over LFW."""


class Demographics(nn.Module):
    """The embedder's trunk with a head for both, on half of its pixels: 53 MMAC.

    Input float32 [n, 3, 80, 80], BGR, −1 … 1, aligned; output [n, 22]: logits of 21 ages, of female.

    `Answer` makes of that what the exported network gives.
    """

    def __init__(self, embedder: Embedder) -> None:
        super().__init__()
        self.trunk, self.pool = embedder.trunk, embedder.pool
        wide = self.pool[0].weight.detach()  # 7×7: of a map that has 5×5 here
        self.pool[0] = nn.Conv2d(128, 128, 5, groups=128, bias=False)
        self.pool[0].weight = nn.Parameter(nn.functional.interpolate(wide, size=(5, 5), mode="area") * (49 / 25))
        self.drop = nn.Dropout(0.3)
        self.head = nn.Linear(128, len(AGES) + 1)

    def forward(self, images: Tensor) -> Tensor:
        """See the class."""
        given: Tensor = self.head(self.drop(self.pool(self.trunk(images)).flatten(1)))
        return given


class Answer(nn.Module):
    """Output [n, 2]: years, P(female)."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("ages", torch.from_numpy(AGES))

    def forward(self, images: Tensor) -> Tensor:
        """See the class."""
        given = self.network(images)
        ages = (given[:, :-1].softmax(1) * self.ages).sum(1)
        return torch.stack([ages, given[:, -1].sigmoid()], dim=1)


@dataclass(frozen=True, slots=True)
class Known:
    """Portraits, uint8 [n, 160, 160, 3], whose age in years and P(female), here 0 or 1, are known: float32 [n, 2].

    `groups`: who must not be parted.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.float32]
    groups: NDArray[np.str_]

    def select(self, rows: NDArray[np.bool_]) -> Known:
        """Those of these rows."""
        return Known(self.images[rows], self.labels[rows], self.groups[rows])


@dataclass(frozen=True, slots=True)
class Lessons:
    """What is learned from: few known faces, and many of which the teacher speaks."""

    known: Known
    taught: Bank


def of_utkface(portraits: Portraits) -> Portraits:
    """Those whose age and gender are known."""
    return portraits.select(portraits.origins == "utkface")


def labelled(portraits: Portraits) -> Known:
    """UTKFace: the name holds age and gender, 1 for female."""
    utk = of_utkface(portraits)
    labels = np.array([name.split("_")[:2] for name in utk.names.tolist()], np.float32)
    return Known(utk.images, labels, utk.groups)


def folds(groups: NDArray[np.str_]) -> NDArray[np.int64]:
    """The fold of each labelled face: whole groups."""
    names, numbers = np.unique(groups, return_inverse=True)
    return (np.random.default_rng(SEED).permutation(len(names)) % FOLDS)[numbers]


def taught(portraits: Portraits, size: int, folder: Path) -> Bank:
    """Faces real and made up, labelled with the teacher's ages and P(female), and a fold.

    Half of what they are made of is UTKFace, where all ages are; a face is made of those of one fold alone, so that a
    fold can be left out.
    """
    known = portraits.origins == "utkface"
    fold_of = np.full(len(portraits), NO_FOLD)
    fold_of[known] = folds(portraits.groups[known])
    supplies = []
    for fold in range(FOLDS):
        rows = ~known | (fold_of == fold)
        counts = np.where(known, (fold_of == fold).sum(), (~known).sum())
        supplies.append(Faces(portraits.images[rows], (1 / counts[rows]).astype(np.float32), SEED))
    return bank(lambda numbers: lesson(supplies, numbers), size, folder, portraits.images)


def lesson(supplies: Sequence[Faces], numbers: range) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """See `training.bank.Lesson`."""
    wide = np.stack([supplies[number % FOLDS].crop(number, MARGIN) for number in numbers])
    seen = (cv2.resize(image[WINDOW], (112, 112)) for image in wide)
    said: list[results.Demographics] = list(
        teacher(Capability.DEMOGRAPHICS).read([(np.asarray(image, np.uint8),) for image in seen])
    )
    females = [one.gender_score if one.gender == "female" else 1 - one.gender_score for one in said]
    labels = np.array([[one.age for one in said], females, np.array(numbers) % FOLDS], np.float32).T
    return wide[:, MARGIN:-MARGIN, MARGIN:-MARGIN], labels


def split(known: Known, taught: Bank, fold: int | None) -> tuple[Lessons, Known | None]:
    """What is learned from when this fold is left out, and the fold; None: nothing is."""
    out = folds(known.groups) == fold
    lessons = Lessons(known.select(~out), taught.select(taught.labels[:, FOLD] != fold))
    return lessons, known.select(out) if out.any() else None


def train(lessons: Lessons, judged: Known | None, folder: Path, steps: int) -> nn.Module:
    """The trained network, its trunk from the embedder in the package.

    `judged` are labelled faces it has not seen, for the curve.
    """
    torch.manual_seed(SEED)
    settling, _ = lessons.taught.batch(0, 256)
    return fit(
        Demographics(Embedder.packaged(settling)),
        lambda step: batch(lessons, step),
        losses,
        Schedule.brief(steps, rate=6e-4),
        folder,
        (lambda network: figures(network, judged)) if judged else None,
    )


def batch(lessons: Lessons, step: int) -> Batch:
    """Known faces, each varied anew, then taught ones."""
    generator = np.random.default_rng((SEED, step))
    rows = generator.integers(len(lessons.known.images), size=LABELLED)
    known = np.stack([varied(lessons.known.images[row], generator) for row in rows])
    images, labels = lessons.taught.batch(step, BATCH - LABELLED)
    return shrunk(np.concatenate([known, images])), np.concatenate([lessons.known.labels[rows], labels[:, :FOLD]])


def shrunk(crops: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Crops of 112×112 as the network sees them."""
    return np.stack([cv2.resize(crop, (SIDE, SIDE), interpolation=cv2.INTER_AREA) for crop in crops])


def losses(network: nn.Module, batch: Batch) -> Losses:
    """Cross entropy with a soft label over the ages, the error of their mean, and cross entropy of the gender."""
    images, labels = batch
    ages, females = labels.T
    given = network(pixels(images))
    bins = torch.from_numpy(AGES).to(given.device)
    label = (-((bins - ages[:, None]) ** 2) / (2 * SPREAD**2)).softmax(1)
    logs = given[:, :-1].log_softmax(1)
    mean = (logs.exp() * bins).sum(1)
    return {
        "ages": nn.functional.kl_div(logs, label, reduction="batchmean"),
        "years": nn.functional.smooth_l1_loss(mean / 10, ages / 10),
        "gender": GENDER * nn.functional.binary_cross_entropy_with_logits(given[:, -1], _surer(females)),
    }


def _surer(females: Tensor) -> Tensor:
    female, male = females**SURER, (1 - females) ** SURER
    return female / (female + male)


def figures(network: nn.Module, judged: Known) -> dict[str, float]:
    """Mean absolute error in years, share of genders right."""
    crops = shrunk(judged.images[:, MARGIN:-MARGIN, MARGIN:-MARGIN])
    place = device()
    with torch.no_grad():
        given = Answer(network).to(place)(pixels(torch.from_numpy(crops).to(place))).cpu().numpy()
    ages, females = judged.labels.T
    return {
        "years": float(abs(given[:, 0] - ages).mean()),
        "gender right": float(((given[:, 1] >= 0.5) == (females >= 0.5)).mean()),
    }
