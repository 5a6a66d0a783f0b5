"""What can be asked: a route, the pictures, the parameters, and the type of the answer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Generic, TypeAlias, TypedDict, TypeVar, Unpack

from facesocial_client.results import Analysis, Answer, Detection, Verification

AnswerType = TypeVar("AnswerType", bound=Answer)

Image: TypeAlias = bytes | Path | IO[bytes]
"""A JPEG, PNG or WebP file: its content, where it is, or open for reading in binary mode. Its name is never sent."""


class Manner(TypedDict, total=False):
    """How a call goes.

    It may take `timeout` seconds; the service hears of it and gives up then, too. If `fresh`, the service neither looks
    for an answer that it remembers nor keeps this one.
    """

    timeout: float | None
    fresh: bool


class Search(Manner, total=False):
    """Which faces: those that score `min_score` in [0, 1], at most `max_faces`; None is the service's default."""

    min_score: float | None
    max_faces: int | None


@dataclass(frozen=True, slots=True)
class Question(Generic[AnswerType]):
    """`images` and `parameters` by the names of their fields; `timeout` in seconds, None: the client's."""

    path: str
    answer: type[AnswerType]
    images: Mapping[str, Image]
    parameters: Mapping[str, str]
    timeout: float | None
    fresh: bool


def detect(image: Image, **options: Unpack[Search]) -> Question[Detection]:
    """Find faces."""
    return _of_faces("/v1/detect", Detection, image, {}, options)


def analyze(image: Image, tasks: str | Iterable[str] | None, **options: Unpack[Search]) -> Question[Analysis]:
    """Find faces and run the tasks on each; None: what the service has, but the mesh."""
    listed = tasks if tasks is None or isinstance(tasks, str) else ",".join(tasks)
    return _of_faces("/v1/analyze", Analysis, image, {"tasks": listed}, options)


def one_task(path: str, image: Image, **options: Unpack[Search]) -> Question[Analysis]:
    """Find faces and run the route's task on each."""
    return _of_faces(path, Analysis, image, {}, options)


def verify(image_a: Image, image_b: Image, *, liveness: bool, **options: Unpack[Manner]) -> Question[Verification]:
    """Whether two pictures show the same person."""
    images, parameters = {"image_a": image_a, "image_b": image_b}, {"liveness": str(liveness).lower()}
    return _question("/v1/verify", Verification, images, parameters, options, Manner.__optional_keys__)


def content(image: Image) -> bytes:
    """The bytes of a picture; a file is read from where it stands.

    Raises:
        TypeError: it is none of the three.
        OSError: it cannot be read.
    """
    if isinstance(image, bytes):
        return image
    found: object = image.read_bytes() if isinstance(image, Path) else getattr(image, "read", str)()
    if not isinstance(found, bytes):
        raise TypeError("an image is bytes, a Path, or a file open in binary mode")
    return found


def _of_faces(
    path: str, answer: type[AnswerType], image: Image, special: Mapping[str, str | None], options: Search
) -> Question[AnswerType]:
    given = {"min_score": options.get("min_score"), "max_faces": options.get("max_faces"), **special}
    parameters = {name: str(value) for name, value in given.items() if value is not None}
    return _question(path, answer, {"image": image}, parameters, options, Search.__optional_keys__)


def _question(
    path: str,
    answer: type[AnswerType],
    images: Mapping[str, Image],
    parameters: Mapping[str, str],
    options: Manner,
    known: frozenset[str],
) -> Question[AnswerType]:
    for name in options.keys() - known:  # types bind nobody at run time
        raise TypeError(f"there is no option {name}; there are {', '.join(sorted(known))}")
    return Question(path, answer, images, parameters, options.get("timeout"), options.get("fresh", False))
