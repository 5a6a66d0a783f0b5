"""The evaluation data (`FACESOCIAL_TEST_DATA`): pictures, and what is known about them. Nothing of it is stored."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from facesocial.results import Image


@dataclass(frozen=True, slots=True)
class Pair:
    """Two LFW pictures, by file name."""

    fold: int
    a: str
    b: str
    same: bool


@dataclass(frozen=True, slots=True)
class Crop:
    """A face crop: `group` is what must not be split (the video, the person), `positive` what is to be found."""

    image: Image
    group: str
    positive: bool


@dataclass(frozen=True, slots=True)
class Person:
    """A UTKFace crop with its label."""

    image: Image
    age: int
    female: bool


def lfw_pairs(data: Path) -> list[Pair]:
    """View 2, as many folds as there are."""
    with (data / "lfw" / "pairs.csv").open(newline="") as file:
        return [Pair(int(row["fold"]), row["a"], row["b"], row["same"] == "1") for row in csv.DictReader(file)]


def mesonet(data: Path) -> Iterator[Crop]:
    """Crops of the MesoNet validation set; positive means deepfake; grouped by video."""
    for folder in ("real", "deepfake"):
        for file in sorted((data / "mesonet" / folder).iterdir()):
            yield Crop(read(file), f"{folder}/{file.name.split('_')[0]}", folder == "deepfake")


def nuaa(data: Path) -> Iterator[Crop]:
    """Crops of NUAA; positive means live; grouped by person."""
    for folder in ("client", "imposter"):
        for file in sorted((data / "nuaa" / folder).iterdir()):
            yield Crop(read(file), file.name.split("_")[0], folder == "client")


def utkface(data: Path) -> Iterator[Person]:
    """UTKFace crops; the name holds age and gender (1 = female)."""
    for file in sorted((data / "utkface").iterdir()):
        age, gender, *_ = file.name.split("_")
        yield Person(read(file), int(age), gender == "1")


def judged(data: Path) -> Iterator[Path]:
    """Every file that a figure is measured on."""
    for folder in ("lfw/images", "mesonet/real", "mesonet/deepfake", "nuaa/client", "nuaa/imposter", "utkface"):
        yield from (data / folder).iterdir()


def padded(image: Image, share: float) -> Image:
    """A black border of `share` times the sides, so that a detector sees a face in a picture rather than a crop."""
    height, width = round(image.shape[0] * share), round(image.shape[1] * share)
    return np.asarray(cv2.copyMakeBorder(image, height, height, width, width, cv2.BORDER_CONSTANT), np.uint8)


def encoded(image: Image) -> bytes:
    """The picture as PNG, for everything that goes through the pipeline's front door."""
    return bytes(cv2.imencode(".png", image, [cv2.IMWRITE_PNG_COMPRESSION, 1])[1])


def read(file: Path) -> Image:
    """uint8 [h, w, 3] BGR.

    Raises:
        ValueError: it is no picture.
    """
    image = cv2.imread(str(file), cv2.IMREAD_COLOR)
    if image is None:
        raise ValueError(f"not a picture: {file.name}")
    return np.asarray(image, np.uint8)
