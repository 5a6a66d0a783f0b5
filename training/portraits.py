"""Every face of the evaluation data, aligned with some surroundings, and who must not be split from whom."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from cli.bench.accuracy import open_picture
from cli.bench.datasets import encoded, padded
from facesocial.results import Face, Image
from runners.crops import ARCFACE_TEMPLATE, similarity
from training.teachers import finder

SIDE: Final = 160
MARGIN: Final = (SIDE - 112) // 2
"""The 112×112 crop that a recogniser sees lies in the middle: room to turn, shift and zoom."""

BORDER: Final = 0.5
"""Black around a picture that is a face crop, as a share of its sides: a detector wants surroundings."""

CROPS: Final = ("utkface", "mesonet-real", "mesonet-deepfake", "nuaa-client", "nuaa-imposter")
"""The sets whose pictures have that border."""


@dataclass(frozen=True, slots=True)
class Portraits:
    """Aligned faces.

    Attributes:
        images: uint8 [n, 160, 160, 3] BGR; the landmarks lie on ArcFace's template, shifted by 24 pixels.
        origins: the set each comes from.
        groups: person or video, unique over the sets; a split never parts a group.
        names: file name, to find a picture again within its set.
    """

    images: NDArray[np.uint8]
    origins: NDArray[np.str_]
    groups: NDArray[np.str_]
    names: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.images)

    def select(self, rows: NDArray[np.bool_]) -> Portraits:
        """Those of these rows."""
        return Portraits(self.images[rows], self.origins[rows], self.groups[rows], self.names[rows])


def portraits(data: Path, cache: Path) -> Portraits:
    """All of them; read once, then kept in `cache`."""
    file = cache / "portraits.npz"
    if not file.exists():
        found = list(_aligned(data))
        images, origins, groups, names = zip(*found, strict=True)
        file.parent.mkdir(parents=True, exist_ok=True)
        part = file.with_suffix(".part.npz")
        np.savez(part, images=np.stack(images), origins=origins, groups=groups, names=names)
        part.replace(file)
    with np.load(file) as stored:
        return Portraits(stored["images"], stored["origins"], stored["groups"], stored["names"])


def _aligned(data: Path) -> Iterator[tuple[Image, str, str, str]]:
    for content, origin, group, name in track(list(pictures(data)), "finding faces"):
        picture = open_picture(content)
        faces = [report.face for report in finder().detect(picture, None, 20).faces]
        if origin != "people":  # there, and there alone, everybody in the picture is somebody
            faces = sorted(faces, key=lambda face: -face.area)[:1]
        for index, face in enumerate(faces):
            image = align(picture.at(1.0), face)
            if image is not None:
                yield image, origin, f"{group}#{index}" if len(faces) > 1 else group, name


def align(image: Image, face: Face) -> Image | None:
    """uint8 [160, 160, 3], or None for a face without landmarks, or with all five in one point."""
    if face.landmarks is None:
        return None
    to_crop = similarity(face.landmarks, ARCFACE_TEMPLATE + np.float32(MARGIN))
    if to_crop is None:
        return None
    shrinks = float(np.hypot(to_crop[0, 0], to_crop[1, 0])) < 0.5
    return np.asarray(
        cv2.warpAffine(image, to_crop, (SIDE, SIDE), flags=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR), np.uint8
    )


def pictures(data: Path) -> Iterator[tuple[bytes, str, str, str]]:
    """Content, set, group and name of every picture; those of CROPS with their border."""
    for file in sorted((data / "lfw" / "images").iterdir()):
        yield file.read_bytes(), "lfw", f"lfw/{file.stem.rsplit('_', 1)[0]}", file.name
    for file in sorted((data / "people").iterdir()):
        yield file.read_bytes(), "people", f"people/{file.stem}", file.name
    for file in sorted((data / "utkface").iterdir()):
        yield _bordered(file), "utkface", f"utkface/{file.stem}", file.name
    for kind in ("real", "deepfake"):
        for file in sorted((data / "mesonet" / kind).iterdir()):
            yield _bordered(file), f"mesonet-{kind}", f"mesonet/{kind}/{file.stem.split('_')[0]}", file.name
    for kind in ("client", "imposter"):
        for file in sorted((data / "nuaa" / kind).iterdir()):
            yield _bordered(file), f"nuaa-{kind}", f"nuaa/{file.stem.split('_')[0]}", file.name
    for file in sorted((data / "video").iterdir()):
        for number, frame in enumerate(_frames(file)):
            yield encoded(frame), "video", f"video/{file.stem}", f"{file.name}:{number}"


def _bordered(file: Path) -> bytes:
    image = cv2.imread(str(file), cv2.IMREAD_COLOR)
    if image is None:
        raise ValueError(f"not a picture: {file.name}")
    return encoded(padded(np.asarray(image, np.uint8), BORDER))


def _frames(file: Path, every: int = 15) -> Iterator[Image]:
    video = cv2.VideoCapture(str(file))
    number = 0
    while True:
        there, frame = video.read()
        if not there:
            return
        if number % every == 0:
            yield np.asarray(frame, np.uint8)
        number += 1
