"""Every picture of the evaluation data, the faces that the teacher finds in it, and who must not be split from whom."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from cli.bench.accuracy import open_picture
from cli.bench.datasets import encoded, lfw_pairs, padded, read
from facesocial.results import Face, Image
from training.teachers import finder

SURE: Final = 0.6
"""The teacher's own threshold: a face."""

DOUBT: Final = 0.3
"""From here on it may be one."""

BORDER: Final = 0.5
"""Black around a picture that is a face crop, while a detector looks: it wants surroundings. A share of the sides."""


ALIKE: Final = (
    ("mesonet/deepfake/152", "mesonet/deepfake/153", "mesonet/deepfake/154", "mesonet/deepfake/155"),
    ("mesonet/deepfake/134", "mesonet/deepfake/135"),
    ("mesonet/deepfake/160", "mesonet/deepfake/161"),
    ("utkface/84_1_2_20170120225608458", "utkface/95_1_2_20170120225327083"),
    ("utkface/85_1_0_20170120223641413", "utkface/89_1_0_20170110183446677", "utkface/85_1_0_20170110175649821"),
    ("utkface/78_0_2_20170112205320579", "utkface/80_0_2_20170112205309435"),
    (
        "utkface/1_0_3_20161220144657607",
        "utkface/2_0_4_20161221202339874",
        "utkface/1_1_3_20161220220521921",
        "utkface/2_0_2_20161219141236632",
        "utkface/1_0_2_20161219162719255",
        "utkface/1_1_2_20161219142015873",
    ),
    ("utkface/1_0_2_20161219204951309", "utkface/1_1_2_20161219195923075"),
)
"""Clips of one shoot and pictures of one person: the teacher's mean vectors have a cosine of .6 or more."""

_FIRST: Final = {name: names[0] for names in ALIKE for name in names}


def shoot(group: str) -> str:
    """The group that stands for all that must not be parted from this one."""
    return _FIRST.get(group, group)


@dataclass(frozen=True, slots=True)
class Whole:
    """A picture in memory as a source of crops, see `runners.crops.PixelSource`."""

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


@dataclass(frozen=True, slots=True)
class Photograph:
    """One picture.

    Attributes:
        image: uint8 [h, w, 3] BGR.
        origin: the set it is from.
        group: person or video, unique over the sets; a split never parts a group.
        name: file name, to find it again within its set.
        faces: with a score of `DOUBT` or more, best first, all with landmarks.
    """

    image: Image
    origin: str
    group: str
    name: str
    faces: tuple[Face, ...] = ()


def photographs(data: Path, cache: Path) -> Iterator[Photograph]:
    """All of them. Their faces are looked for once, then kept in `cache`, as long as the pictures are the same ones."""
    file = cache / f"faces-{_digest(data)}.npy"
    if not file.exists():
        rows = [
            [number, *row]
            for number, photograph in enumerate(track(list(_read(data)), "finding faces"))
            for row in _find(photograph)
        ]
        cache.mkdir(parents=True, exist_ok=True)
        np.save(part := file.with_suffix(".part.npy"), np.array(rows, np.float32))
        part.replace(file)
    found = np.load(file)
    for number, photograph in enumerate(_read(data)):
        yield replace(photograph, faces=tuple(_face(row[1:]) for row in found[found[:, 0] == number]))


def _digest(data: Path) -> str:
    """Of the names and sizes of all files."""
    files = sorted(file for file in data.rglob("*") if file.is_file())
    text = "\n".join(f"{file.relative_to(data)} {file.stat().st_size}" for file in files)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def persons_of(data: Path, fold: int) -> frozenset[str]:
    """The groups of a fold of LFW; LFW gives no person to two folds."""
    pairs = [pair for pair in lfw_pairs(data) if pair.fold == fold]
    return frozenset(person_of(name) for pair in pairs for name in (pair.a, pair.b))


def surrounded(photograph: Photograph) -> tuple[Image, NDArray[np.float32]]:
    """What a detector is shown of it, and where its upper left corner lies there: see `BORDER`."""
    if photograph.origin not in ("utkface", "mesonet", "nuaa"):
        return photograph.image, np.zeros(2, np.float32)
    inset = np.array([round(side * BORDER) for side in photograph.image.shape[1::-1]], np.float32)
    return padded(photograph.image, BORDER), inset


def _find(photograph: Photograph) -> Iterator[list[float]]:
    """Score, box and landmarks of each face, see `_face`."""
    image, inset = surrounded(photograph)
    for report in finder().detect(open_picture(encoded(image)), DOUBT, 50).faces:
        if report.face.landmarks is not None:
            places = np.array(report.face.box, np.float32) - np.tile(inset, 2), report.face.landmarks - inset
            yield [report.face.score, *places[0].tolist(), *places[1].ravel().tolist()]


def _face(row: NDArray[np.float32]) -> Face:
    score, x1, y1, x2, y2 = row[:5].tolist()
    return Face((x1, y1, x2, y2), score, row[5:].reshape(5, 2))


def _read(data: Path) -> Iterator[Photograph]:
    for file in sorted((data / "lfw" / "images").iterdir()):
        yield Photograph(read(file), "lfw", person_of(file.name), file.name)
    for file in sorted((data / "people").iterdir()):
        yield Photograph(read(file), "people", f"people/{file.stem}", file.name)
    for file in sorted((data / "utkface").iterdir()):
        yield Photograph(read(file), "utkface", shoot(f"utkface/{file.name.split('.')[0]}"), file.name)
    for origin, kinds in (("mesonet", ("real", "deepfake")), ("nuaa", ("client", "imposter"))):
        for kind in kinds:
            for file in sorted((data / origin / kind).iterdir()):
                start = file.stem.split("_")[0]
                group = f"nuaa/{start}" if origin == "nuaa" else shoot(f"mesonet/{kind}/{start}")
                yield Photograph(read(file), origin, group, f"{kind}/{file.name}")
    for file in sorted((data / "video").iterdir()):
        for number, frame in enumerate(frames(file)):
            yield Photograph(frame, "video", f"video/{file.stem}", f"{file.name}:{number}")


def person_of(name: str) -> str:
    """The group of a picture of LFW, by its file name."""
    return f"lfw/{name.rsplit('_', 1)[0]}"


def frames(file: Path, every: int = 15) -> Iterator[Image]:
    """uint8 [h, w, 3] BGR of every n-th frame of a video."""
    video = cv2.VideoCapture(str(file))
    number = 0
    while video.grab():
        if number % every == 0:
            yield np.asarray(video.retrieve()[1], np.uint8)
        number += 1
