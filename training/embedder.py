"""The embedder: learns the teacher's vector for every face, real and made up."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from cli.bench.datasets import lfw_pairs
from cli.bench.metrics import cross_validated
from facesocial.capabilities import Capability
from models.starter import packaged_file
from training.bank import bank
from training.blocks import Residual, pixels, trunk
from training.folded import restore
from training.loop import Batch, Losses, Schedule, device, fit
from training.morphs import Faces
from training.pictures import persons_of
from training.portraits import MARGIN, Portraits
from training.teachers import teacher

SIZE: Final = 128
BATCH: Final = 96
SEED: Final = 20261125


class Embedder(nn.Module):
    """.69 M parameters, 103 MMAC: dense 3×3 convolutions, which a CPU runs and trains faster than depthwise ones.

    Input float32 [n, 3, 112, 112], BGR, −1 … 1; output [n, 128], not of length one.
    """

    def __init__(self) -> None:
        super().__init__()
        self.trunk = nn.Sequential(trunk(24, 48, 96, 128), Residual(128))
        self.pool = nn.Sequential(nn.Conv2d(128, 128, 7, groups=128, bias=False), nn.BatchNorm2d(128))
        self.vector = nn.Linear(128, SIZE)

    @classmethod
    def packaged(cls, crops: NDArray[np.uint8]) -> Embedder:
        """With the weights that are in the package; some aligned crops, uint8 [n, 112, 112, 3], to settle on."""
        network = cls()
        restore(network, packaged_file("starter_embedder/model.onnx"), pixels(torch.from_numpy(crops)))
        return network

    def forward(self, images: Tensor) -> Tensor:
        """See the class."""
        given: Tensor = self.vector(self.pool(self.trunk(images)).flatten(1))
        return given


@dataclass(frozen=True, slots=True)
class Plan:
    """What is learned from, and for how long.

    Attributes:
        fold: of LFW, whose persons are left out of training and judged on; None: nobody is left out.
        crops: size of the bank.
        steps: batches of 96.
    """

    fold: int | None
    crops: int
    steps: int


def train(portraits: Portraits, data: Path, folder: Path, plan: Plan) -> nn.Module:
    """The trained network."""
    torch.manual_seed(SEED)
    judge, learned = None, portraits
    if plan.fold is not None:
        judge = Judge.of(portraits, data, plan.fold).figures
        learned = portraits.select(~np.isin(portraits.groups, sorted(persons_of(data, plan.fold))))
    faces = Faces(learned.images, _weights(learned.groups), SEED)
    crops = bank(lambda numbers: lesson(faces, numbers), plan.crops, folder / "bank", learned.images)
    return fit(
        Embedder(),
        lambda step: crops.batch(step, BATCH),
        losses,
        Schedule(plan.steps, rate=2e-3),
        folder,
        judge,
    )


def lesson(faces: Faces, numbers: range) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """See `training.bank.Lesson`: the teacher's vectors."""
    crops = [faces.crop(number) for number in numbers]
    return np.stack(crops), teacher(Capability.RECOGNITION).embed(crops)


def losses(network: nn.Module, batch: Batch) -> Losses:
    """Distance to the teacher's vector, and of the cosines within the batch: who resembles whom."""
    images, target = batch
    given = nn.functional.normalize(network(pixels(images)), dim=1)
    among = given @ given.T - target @ target.T
    return {"distance": (1 - (given * target).sum(1)).mean(), "relation": among.pow(2).mean() * 4}


def _weights(groups: NDArray[np.str_]) -> NDArray[np.float32]:
    """A person of n portraits weighs √n: the famous do not crowd out the others."""
    _, inverse, counts = np.unique(groups, return_inverse=True, return_counts=True)
    return np.asarray(1 / np.sqrt(counts[inverse]), np.float32)


@dataclass(frozen=True, slots=True)
class Judge:
    """The pairs of LFW's folds: `left`, `right` index `images`."""

    images: NDArray[np.uint8]
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    same: NDArray[np.bool_]
    folds: NDArray[np.int64]
    fold: int

    @classmethod
    def of(cls, portraits: Portraits, data: Path, fold: int) -> Judge:
        """Judges on this fold, with thresholds from the others."""
        lfw = portraits.select(portraits.origins == "lfw")
        place = {name: index for index, name in enumerate(lfw.names)}
        pairs = lfw_pairs(data)
        crops = np.ascontiguousarray(lfw.images[:, MARGIN:-MARGIN, MARGIN:-MARGIN])
        return cls(
            crops,
            np.array([place[pair.a] for pair in pairs]),
            np.array([place[pair.b] for pair in pairs]),
            np.array([pair.same for pair in pairs]),
            np.array([pair.fold for pair in pairs]),
            fold,
        )

    def figures(self, network: nn.Module) -> dict[str, float]:
        """Accuracy on the fold left out, the threshold of each tenth from the other nine; and over all folds."""
        place = device()
        with torch.no_grad():
            vectors = torch.cat(
                [network(pixels(images.to(place))) for images in torch.from_numpy(self.images).split(256)]
            )
            vectors = nn.functional.normalize(vectors, dim=1)
        scores = (vectors[self.left] * vectors[self.right]).sum(1).double().cpu().numpy()
        within = self.folds == self.fold
        tenths = np.arange(int(within.sum())) % 10
        return {
            "left_out": cross_validated(scores[within], self.same[within], tenths),
            "all": cross_validated(scores, self.same, self.folds),
        }
