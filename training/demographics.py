"""Age and gender: the embedder's trunk, taught by the teacher on faces real and made up, and by a few with a label."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import track
from torch import Tensor, nn

from facesocial.capabilities import Capability
from training.blocks import pixels
from training.embedder import Embedder
from training.loop import Batch, Losses, Schedule, device, fit
from training.morphs import Faces
from training.portraits import MARGIN, Portraits
from training.teachers import Teacher

BATCH: Final = 64
LABELLED: Final = 16
"""Of a batch, faces whose age and gender are known; the teacher speaks of the others."""

SEED: Final = 20261128
FOLDS: Final = 5
AGES: Final = np.arange(0, 101, 5, dtype=np.float32)
"""Age is read as the mean over these, in years: steadier than one number (Rothe et al. 2015, DEX)."""

SPREAD: Final = 5.0
"""How far a label reaches to neighbouring ages, years."""

WINDOW: Final = (12, 148)
"""From here to there, in pixels of a portrait, lies what a square about YuNet's box shows: the teacher's crop."""


class Demographics(nn.Module):
    """The embedder's trunk with a head for both. Input as the embedder's; output [n, 22]: logits of 21 ages, of female.

    `answer` turns that into what the exported network gives.
    """

    def __init__(self, embedder: Embedder | None = None) -> None:
        super().__init__()
        source = embedder or Embedder()
        self.trunk, self.pool = source.trunk, source.pool
        self.drop = nn.Dropout(0.2)
        self.head = nn.Linear(128, len(AGES) + 1)

    def forward(self, images: Tensor) -> Tensor:
        """See the class."""
        return torch.as_tensor(self.head(self.drop(self.pool(self.trunk(images)).flatten(1))))


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
class Taught:
    """Crops uint8 [n, 112, 112, 3] with ages in years and P(female)."""

    images: NDArray[np.uint8]
    ages: NDArray[np.float32]
    females: NDArray[np.float32]

    def select(self, rows: NDArray[np.bool_]) -> Taught:
        """Those of these rows."""
        return Taught(self.images[rows], self.ages[rows], self.females[rows])


def labelled(portraits: Portraits) -> Taught:
    """UTKFace: the name holds age and gender."""
    utk = portraits.select(portraits.origins == "utkface")
    fields = [name.split("_") for name in utk.names.tolist()]
    return Taught(
        utk.images,
        np.array([float(age) for age, *_ in fields], np.float32),
        np.array([float(gender) for _, gender, *_ in fields], np.float32),
    )


def folds(count: int) -> NDArray[np.int64]:
    """The fold of each labelled face; every one is a person of their own."""
    return np.random.default_rng(SEED).permutation(count) % FOLDS


def taught(portraits: Portraits, size: int) -> Taught:
    """Faces real and made up, and what the teacher says of them. Nobody of UTKFace is among them."""
    others = portraits.select(portraits.origins != "utkface")
    faces = Faces(others.images, np.ones(len(others), np.float32), SEED)
    teacher = Teacher(Capability.DEMOGRAPHICS)
    images, ages, females = [], [], []
    for start in track(range(0, size, 512), "asking the teacher for ages"):
        wide = [faces.crop(number, MARGIN) for number in range(start, start + 512)]
        low, high = WINDOW
        crops = [cv2.resize(image[low:high, low:high], (112, 112), interpolation=cv2.INTER_AREA) for image in wide]
        for result in teacher.read([np.asarray(crop, np.uint8) for crop in crops]):
            ages.append(result.age)
            females.append(result.score if result.gender == "female" else 1 - result.score)
        images += [image[MARGIN:-MARGIN, MARGIN:-MARGIN] for image in wide]
    return Taught(np.stack(images), np.array(ages, np.float32), np.array(females, np.float32))


def train(
    embedder: Embedder, known: Taught, teacher: Taught, folder: Path, steps: int, judged: Taught | None = None
) -> nn.Module:
    """The trained network; `judged` are labelled faces it has not seen, for the curve."""
    torch.manual_seed(SEED)
    return fit(
        Demographics(embedder),
        lambda step: batch(known, teacher, step),
        losses,
        Schedule(steps, rate=6e-4, warmup=100, decay=0.05, averaging=100, log=50),
        folder,
        (lambda network: figures(network, judged)) if judged else None,
        judge_every=500,
    )


def batch(known: Taught, teacher: Taught, step: int) -> Batch:
    """Labelled faces, each varied anew, then taught ones."""
    generator = np.random.default_rng((SEED, step))
    variants = Faces(known.images, np.ones(len(known.images), np.float32), SEED + step)
    rows = generator.integers(len(known.images), size=LABELLED)
    varied = [variants.varied(int(row), generator) for row in rows]
    others = generator.integers(len(teacher.images), size=BATCH - LABELLED)
    return (
        np.concatenate([np.stack(varied), teacher.images[others]]),
        np.concatenate([known.ages[rows], teacher.ages[others]]),
        np.concatenate([known.females[rows], teacher.females[others]]),
    )


def losses(network: nn.Module, batch: Batch) -> Losses:
    """Cross entropy with a soft label over the ages, the error of their mean, and cross entropy of the gender."""
    images, ages, females = batch
    given = network(pixels(images))
    bins = torch.from_numpy(AGES).to(given.device)
    label = (-((bins - ages[:, None]) ** 2) / (2 * SPREAD**2)).softmax(1)
    logs = given[:, :-1].log_softmax(1)
    mean = (logs.exp() * bins).sum(1)
    return {
        "ages": nn.functional.kl_div(logs, label, reduction="batchmean"),
        "years": nn.functional.smooth_l1_loss(mean / 10, ages / 10),
        "gender": nn.functional.binary_cross_entropy_with_logits(given[:, -1], females),
    }


def figures(network: nn.Module, judged: Taught) -> dict[str, float]:
    """Mean absolute error in years, share of genders right."""
    crops = np.ascontiguousarray(judged.images[:, MARGIN:-MARGIN, MARGIN:-MARGIN])
    with torch.no_grad():
        given = Answer(network)(pixels(torch.from_numpy(crops).to(device()))).cpu().numpy()
    return {
        "years": float(abs(given[:, 0] - judged.ages).mean()),
        "gender right": float(((given[:, 1] >= 0.5) == (judged.females >= 0.5)).mean()),
    }
