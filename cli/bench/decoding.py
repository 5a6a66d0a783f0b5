"""The decoding benchmark: what a 12-megapixel photograph costs, and what decoding less of it saves."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from bentos.composition import compose
from cli.bench.measurement import Block, Ratio, Series, measure, quotient
from cli.bench.stage import child, staged
from facesocial.capabilities import Task
from facesocial.configuration import LimitSettings, load_configuration
from facesocial.results import Face, Image
from services.pipeline.header import read_header
from services.pipeline.picture import Picture
from services.pipeline.pipeline import Pipeline

SIZE: Final = (4000, 3000)
QUALITY: Final = 90
NOISE: Final = 6.0
"""Standard deviation in grey levels, as a camera's: it gives the file the size of a photograph."""

LIMITS: Final = LimitSettings()
SCALES: Final = {"full": 1.0, "half": 0.5, "quarter": 0.25}
IN_FULL: Final = ", decoded in full"
WARM_UP: Final = 3


def decoding(image: Path, requests: int, blocks: int) -> dict[str, Series]:
    """Times of decoding alone, and of embedding every face with and without decoding in full first.

    Raises:
        ModelNotInstalled: the weights are not here.
    """
    with staged() as variables, child(variables) as process:
        return process.submit(_take_turns, image.read_bytes(), requests, blocks).result()


def savings(series: Mapping[str, Series]) -> list[Ratio]:
    """In full / as little as needed, for each pair of works."""
    return [
        Ratio(f"{name}{IN_FULL} / as little as needed, p50", quotient(series[name + IN_FULL].medians, less.medians))
        for name, less in series.items()
        if name + IN_FULL in series
    ]


def photograph(image: Image) -> bytes:
    """`image` enlarged to `SIZE`, with noise, as JPEG."""
    enlarged = cv2.resize(image, SIZE, interpolation=cv2.INTER_CUBIC)
    noise = np.random.default_rng(0).normal(0, NOISE, enlarged.shape)
    pixels = np.clip(enlarged + noise, 0, 255).astype(np.uint8)
    return bytes(cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1].tobytes())


def portrait(image: Image, face: Face) -> Image:
    """The part of `image` around `face`, twice as high as the face and 4:3 where the picture allows."""
    x, y = (face.box[0] + face.box[2]) / 2, (face.box[1] + face.box[3]) / 2
    half_height, half_width = face.height, face.height * SIZE[0] / SIZE[1]
    top, left = max(0, round(y - half_height)), max(0, round(x - half_width))
    return image[top : round(y + half_height), left : round(x + half_width)]


def _take_turns(data: bytes, requests: int, blocks: int) -> dict[str, Series]:
    cv2.setNumThreads(1)  # as the service does
    works = _works(data, compose(load_configuration()).pipeline)
    taken: dict[str, list[Block]] = {name: [] for name in works}
    for work in works.values():
        measure(work, WARM_UP)
    for _ in range(blocks):
        for name, work in works.items():
            taken[name].append(measure(work, requests // blocks))
    return {name: Series(tuple(series)) for name, series in taken.items()}


def _works(data: bytes, pipeline: Pipeline) -> dict[str, partial[int]]:
    group = np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR), np.uint8)
    faces = [report.face for report in pipeline.analyze(_open(data), ()).faces]
    large = portrait(group, max(faces, key=lambda face: face.area))
    photographs = {f"{len(faces)} faces": photograph(group), "large faces": photograph(large)}
    works = {f"decode, {name}": partial(_decode, photograph(group), scale) for name, scale in SCALES.items()}
    for what, content in photographs.items():
        works[f"embed {what}"] = partial(_embed, pipeline, content)
        works[f"embed {what}{IN_FULL}"] = partial(_embed_in_full, pipeline, content)
    return works


def _open(data: bytes) -> Picture:
    return Picture(data, read_header(data, LIMITS))


def _decode(data: bytes, resolution: float) -> int:
    _open(data).at(resolution)
    return 0


def _embed(pipeline: Pipeline, data: bytes) -> int:
    return len(pipeline.analyze(_open(data), (Task.EMBED,)).faces)


def _embed_in_full(pipeline: Pipeline, data: bytes) -> int:
    picture = _open(data)
    picture.at(1.0)
    return len(pipeline.analyze(picture, (Task.EMBED,)).faces)
