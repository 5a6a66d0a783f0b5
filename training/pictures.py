"""Every picture of the evaluation data, the faces that the teacher finds in it, and who must not be split from whom."""

from __future__ import annotations

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
    """All of them. Their faces are looked for once, then kept in `cache`."""
    file = cache / "faces.npy"
    if not file.exists():
        rows = [
            [number, *row]
            for number, photograph in enumerate(track(list(_read(data)), "finding faces"))
            for row in _find(photograph)
        ]
        cache.mkdir(parents=True, exist_ok=True)
        np.save(part := cache / "faces.part.npy", np.array(rows, np.float32))
        part.replace(file)
    found = np.load(file)
    for number, photograph in enumerate(_read(data)):
        yield replace(photograph, faces=tuple(_face(row[1:]) for row in found[found[:, 0] == number]))


def persons_of(data: Path, fold: int) -> frozenset[str]:
    """The groups of a fold of LFW; LFW gives no person to two folds."""
    pairs = [pair for pair in lfw_pairs(data) if pair.fold == fold]
    return frozenset(_person(name) for pair in pairs for name in (pair.a, pair.b))


def _find(photograph: Photograph) -> Iterator[list[float]]:
    """Score, box and landmarks of each face, see `_face`."""
    image, inset = photograph.image, np.zeros(2, np.float32)
    if photograph.origin in ("utkface", "mesonet", "nuaa"):
        inset = np.array([round(side * BORDER) for side in image.shape[1::-1]], np.float32)
        image = padded(image, BORDER)
    for report in finder().detect(open_picture(encoded(image)), DOUBT, 50).faces:
        if report.face.landmarks is not None:
            places = np.array(report.face.box, np.float32) - np.tile(inset, 2), report.face.landmarks - inset
            yield [report.face.score, *places[0].tolist(), *places[1].ravel().tolist()]


def _face(row: NDArray[np.float32]) -> Face:
    score, x1, y1, x2, y2 = row[:5].tolist()
    return Face((x1, y1, x2, y2), score, row[5:].reshape(5, 2))


def _read(data: Path) -> Iterator[Photograph]:
    for file in sorted((data / "lfw" / "images").iterdir()):
        yield Photograph(read(file), "lfw", _person(file.name), file.name)
    for file in sorted((data / "people").iterdir()):
        yield Photograph(read(file), "people", f"people/{file.stem}", file.name)
    for file in sorted((data / "utkface").iterdir()):
        yield Photograph(read(file), "utkface", f"utkface/{file.stem}", file.name)
    for origin, kinds in (("mesonet", ("real", "deepfake")), ("nuaa", ("client", "imposter"))):
        for kind in kinds:
            for file in sorted((data / origin / kind).iterdir()):
                start = file.stem.split("_")[0]
                group = f"nuaa/{start}" if origin == "nuaa" else f"mesonet/{kind}/{start}"
                yield Photograph(read(file), origin, group, f"{kind}/{file.name}")
    for file in sorted((data / "video").iterdir()):
        for number, frame in enumerate(frames(file)):
            yield Photograph(frame, "video", f"video/{file.stem}", f"{file.name}:{number}")


def _person(name: str) -> str:
    return f"lfw/{name.rsplit('_', 1)[0]}"


def frames(file: Path, every: int = 15) -> Iterator[Image]:
    """uint8 [h, w, 3] BGR of every n-th frame of a video."""
    video = cv2.VideoCapture(str(file))
    number = 0
    while video.grab():
        if number % every == 0:
            yield np.asarray(video.retrieve()[1], np.uint8)
        number += 1
