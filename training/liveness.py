"""Liveness: a face near and with its surroundings. NUAA's prints show in the skin, made-up recaptures in the frame.

Eight persons are few. What keeps the network from learning them by heart is the teacher's word on every crop.
"""

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

from cli.bench import datasets
from cli.bench.metrics import auc
from facesocial.capabilities import Capability
from facesocial.results import Face, Image
from models.catalogue import load_catalogue
from runners.crops import Crop
from runners.library import face_adapter
from training.backgrounds import sample
from training.bank import Bank, bank
from training.blocks import hedged, pixels, trunk
from training.detector.sources import Source
from training.distortion import degrade, recolour
from training.loop import Batch, Losses, Schedule, device, fit
from training.pictures import Photograph, Whole
from training.recapture import Box, recapture
from training.teachers import teacher

SIDE: Final = 80
CROPS: Final = face_adapter(load_catalogue().spec("starter_liveness")).crops
"""Near and wide."""

BATCH: Final = 48
SEED: Final = 20261129
SCENE: Final = 320
SMALLEST: Final = 40.0
"""Width of a face, pixels, to which pictures are shrunk at most."""

LOW: Final = 0.05
"""The catalogue's equal-error threshold of the teacher on NUAA: all of it, so a trace of who is left out is in it."""

TRUTH, WORD, PERSON = range(3)
"""Columns of labels: 1 for live; the teacher's P(live); the number of the person of NUAA, or `NOBODY`."""

NOBODY: Final = -1


class Liveness(nn.Module):
    """One trunk for both crops. Inputs float32 [n, 3, 80, 80] BGR, −1 … 1: near, wide. Output [n, 1]: logit of live."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = trunk(16, 32, 64, 96)
        self.drop = nn.Dropout(0.3)
        self.live = nn.Linear(192, 1)

    def forward(self, near: Tensor, wide: Tensor) -> Tensor:
        """See the class."""
        both = torch.cat([self.trunk(near).mean(dim=(2, 3)), self.trunk(wide).mean(dim=(2, 3))], dim=1)
        given: Tensor = self.live(self.drop(both))
        return given


def views(image: Image, box: Box, crops: Sequence[Crop] = CROPS) -> tuple[Image, ...]:
    """Near and wide, or what other crops show, uint8 [80, 80, 3] BGR, as the service cuts them.

    Raises:
        ValueError: the box has no area.
    """
    face, source = Face(box, 1.0, None), Whole(image)
    cut = tuple(view for crop in crops if (view := crop.cut(source, face)) is not None)
    if len(cut) < len(crops):
        raise ValueError("a box without area")
    return cut


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

    def sessions(self) -> list[NDArray[np.int64]]:
        """The rows of each person, live and not."""
        kinds = ((self.persons == person) & (self.live == live) for person in self.people for live in (True, False))
        return [np.flatnonzero(rows) for rows in kinds if rows.any()]

    @property
    def people(self) -> list[str]:
        """Each once, in the order of their numbers."""
        return sorted(set(self.persons.tolist()))

    @property
    def numbers(self) -> NDArray[np.int64]:
        """The person of each, by number."""
        return np.unique(self.persons, return_inverse=True)[1]


@dataclass(frozen=True, slots=True)
class Material:
    """What is learned from: real attempts, and sets of pictures of people, to be recaptured before backgrounds."""

    attempts: Attempts
    people: tuple[list[Source], ...]
    backgrounds: list[Image]


def shows_people(photograph: Photograph) -> bool:
    """In person, as far as anybody knows: no prints, no forgeries."""
    return photograph.origin != "nuaa" and not photograph.name.startswith("deepfake/")


def bank_of(material: Material, size: int, folder: Path) -> Bank:
    """Near and wide, uint8 [2, 80, 80, 3]: half NUAA, half pictures, half of these recaptured.

    Labelled `TRUTH`, `WORD`, `PERSON`.
    """
    sessions = material.attempts.sessions()
    return bank(
        lambda numbers: lesson(material, sessions, numbers),
        size,
        folder,
        np.concatenate([image.ravel() for image in material.attempts.images]),
    )


def lesson(
    material: Material, sessions: list[NDArray[np.int64]], numbers: range
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """See `training.bank.Lesson`."""
    images, labels, judge = [], [], teacher(Capability.LIVENESS)
    for number in numbers:
        generator = np.random.default_rng((SEED, number))
        shown = _picture(material, generator) if number % 2 else _attempt(material.attempts, sessions, generator)
        images.append(np.stack(views(shown.image, shown.box)))
        word = float(next(judge.read([views(shown.image, shown.box, judge.adapter.crops)])).score)
        labels.append((shown.live, word if shown.person == NOBODY else _recentred(word), shown.person))
    return np.stack(images), np.array(labels, np.float32)


def split(attempts: Attempts, bank: Bank, person: int | None) -> tuple[Bank, Attempts | None]:
    """What is learned from when this person is left out, and the person's; None: nobody is."""
    out = attempts.numbers == person
    return bank.select(bank.labels[:, PERSON] != person), attempts.select(out) if out.any() else None


def train(bank: Bank, judged: Attempts | None, folder: Path, steps: int) -> nn.Module:
    """The trained network; `judged` are persons it has not seen, for the curve."""
    torch.manual_seed(SEED)
    comparable = judged is not None and 0 < judged.live.sum() < len(judged.live)
    return fit(
        Liveness(),
        lambda step: bank.batch(step, BATCH),
        losses,
        Schedule.brief(steps, rate=2e-3),
        folder,
        (lambda network: {"auc": auc(scores(network, judged.images), judged.live)}) if judged and comparable else None,
    )


def losses(network: nn.Module, batch: Batch) -> Losses:
    """Is it live? The truth and the teacher's word weigh the same."""
    views, labels = batch
    given = network(pixels(views[:, 0]), pixels(views[:, 1]))[:, 0]
    return {"cross": hedged(given, labels[:, (TRUTH, WORD)].mean(dim=1))}


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


@dataclass(frozen=True, slots=True)
class _Shown:
    """A picture, the box of the face in it, whether it is live, and the number of the person, `NOBODY` of no matter."""

    image: Image
    box: Box
    live: bool
    person: int


def _attempt(attempts: Attempts, sessions: list[NDArray[np.int64]], generator: np.random.Generator) -> _Shown:
    """Of a random session; moved and coloured, hardly blurred: what gives a print away is fine."""
    at = int(generator.choice(sessions[int(generator.integers(len(sessions)))]))
    image = _changed(attempts.images[at], generator, 0.1)
    side = image.shape[0]
    inset = np.abs(generator.normal(0, 0.03 * side, 4))
    box = (inset[0], inset[1], side - inset[2], side - inset[3])
    return _Shown(image, box, bool(attempts.live[at]), int(attempts.numbers[at]))


def _picture(material: Material, generator: np.random.Generator) -> _Shown:
    """Each set as often as another, at any resolution: a sharp picture is no recapture for being rare."""
    people = material.people[int(generator.integers(len(material.people)))]
    source = people[int(generator.integers(len(people)))]
    source = source.mirrored() if generator.random() < 0.5 else source
    width = float(source.boxes[0, 2] - source.boxes[0, 0])
    share = float(np.exp(generator.uniform(np.log(min(1.0, SMALLEST / width)), 0)))
    image = np.asarray(cv2.resize(source.image, None, fx=share, fy=share, interpolation=cv2.INTER_AREA), np.uint8)
    x1, y1, x2, y2 = (source.boxes[0] * share).tolist()
    box, live = (x1, y1, x2, y2), generator.random() < 0.5
    if not live:
        image, box = recapture(image, box, sample(material.backgrounds, generator, SCENE), generator)
    return _Shown(_changed(image, generator, 0.25), box, live, NOBODY)


def _changed(image: Image, generator: np.random.Generator, chance: float) -> Image:
    return degrade(recolour(image, generator, 0.7), generator, chance)


def _recentred(word: float) -> float:
    """On NUAA's crops, which have no surroundings, the teacher errs equally either way at `LOW` instead of a half."""
    return 1 / (1 + (1 - word) / max(word, 1e-9) * LOW / (1 - LOW))
