"""Pictures without a face: wallpapers and stamps from Debian packages, of free licences, and what is made of them."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from rich.progress import track

from cli.bench.accuracy import open_picture
from cli.bench.datasets import encoded
from facesocial.results import Image
from training.teachers import finder

LEARNED: Final = ("gnome-backgrounds", "plasma-workspace-wallpapers", "tuxpaint-stamps-default")
JUDGED: Final = ("mate-backgrounds", "ukui-wallpapers", "gcompris-qt-data")
SIDE: Final = 1024
"""Longest side kept, in pixels."""

DOUBT: Final = 0.4
"""A picture in which the teacher sees a face with this score is left out: it may hold one."""


def backgrounds(packages: tuple[str, ...], cache: Path) -> list[Image]:
    """uint8 [h, w, 3] BGR of each picture in these packages that is big enough and holds no face."""
    return [_read(file) for name in packages for file in sorted(_folder(name, cache).glob("*.png"))]


def sample(images: list[Image], generator: np.random.Generator, side: int) -> Image:
    """uint8 [side, side, 3]: a random part of one at a random scale, mirrored at times."""
    image = images[int(generator.integers(len(images)))]
    height, width = image.shape[:2]
    span = min(height, width) * float(np.exp(generator.uniform(np.log(0.2), 0)))
    top, left = generator.uniform(0, height - span), generator.uniform(0, width - span)
    part = image[int(top) : int(top + span) + 1, int(left) : int(left + span) + 1]
    part = part[:, ::-1] if generator.random() < 0.5 else part
    return np.asarray(cv2.resize(part, (side, side), interpolation=cv2.INTER_AREA), np.uint8)


def _folder(package: str, cache: Path) -> Path:
    """The package's pictures in one folder, fetched with apt at the first time."""
    folder = cache / "backgrounds" / package
    if not folder.exists():
        raw, part = cache / "packages" / package, folder.with_suffix(".part")
        for path in (raw, part):
            path.mkdir(parents=True, exist_ok=True)
        subprocess.run(["apt-get", "download", "--quiet", package], cwd=raw, check=True)  # noqa: S603, S607
        (archive,) = raw.glob("*.deb")
        subprocess.run(["dpkg-deb", "--extract", archive.name, "files"], cwd=raw, check=True)  # noqa: S603, S607
        for number, image in enumerate(_without_face(raw / "files", package)):
            cv2.imwrite(str(part / f"{number:04}.png"), image)
        if not any(part.iterdir()):
            raise ValueError(f"no picture in {package}")
        part.rename(folder)
    return folder


def _without_face(files: Path, package: str) -> Iterator[Image]:
    known = set[bytes]()
    pictures = sorted(file for ending in ("jpg", "jpeg", "png", "webp") for file in files.rglob(f"*.{ending}"))
    for file in track(pictures, f"looking for faces in {package}"):
        if file.is_symlink() or min((image := _read(file)).shape[:2]) < 200:
            continue
        image = _fitted(image)
        look = (cv2.resize(image, (8, 8), interpolation=cv2.INTER_AREA) // 32).tobytes()
        if look in known:  # the same wallpaper in another size
            continue
        known.add(look)
        if not finder().detect(open_picture(encoded(image)), DOUBT, 1).faces:
            yield image


def _fitted(image: Image) -> Image:
    share = SIDE / max(image.shape[:2])
    if share >= 1:
        return image
    return np.asarray(cv2.resize(image, None, fx=share, fy=share, interpolation=cv2.INTER_AREA), np.uint8)


def _read(file: Path) -> Image:
    """What is transparent becomes grey."""
    image = cv2.imread(str(file), cv2.IMREAD_UNCHANGED)
    if image is None:
        raise ValueError(f"not a picture: {file.name}")
    if image.dtype == np.uint16:
        image = image.astype(np.float32) / 257
    if image.ndim == 2:
        image = cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)
    if image.shape[2] == 4:
        opacity = image[:, :, 3:].astype(np.float32) / 255
        image = image[:, :, :3] * opacity + 127 * (1 - opacity)
    return np.asarray(image, np.uint8)
