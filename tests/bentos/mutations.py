"""Uploads that were right until something happened to them: seeded, so that a number finds each again."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from tests.pictures import animated, noise, plain

PICTURES: Final = [
    *(noise(kind, 48, 32) for kind in ("JPEG", "PNG", "WEBP")),
    *(plain(kind, 64, 48) for kind in ("JPEG", "PNG", "WEBP")),
    *(animated(kind, 3) for kind in ("PNG", "WEBP")),
]
"""Small, for what is tested is not the network."""

ROUTES: Final = (*["/v1/detect"] * 18, "/v1/analyze", "/v1/verify")


@dataclass(frozen=True, slots=True)
class Upload:
    """A request."""

    route: str
    content_type: str
    body: bytes = field(repr=False)


def mutated(seed: int) -> Upload:
    """An upload whose pictures are damaged in a sound body, or whose body is damaged, or both."""
    pick = random.Random(seed)
    route, form, where = pick.choice(ROUTES), pick.choice(("multipart", "json", "raw")), pick.random()
    names = ("image_a", "image_b") if route == "/v1/verify" else ("image",)
    pictures = [pick.choice(PICTURES) for _ in names]
    if where < 0.7:
        pictures = [_damaged(pick, picture, PICTURES) for picture in pictures]
    content_type, body = FORMS[form](dict(zip(names, pictures, strict=True)))
    if where > 0.6:
        others = [FORMS[other]({"image": pick.choice(PICTURES)})[1] for other in FORMS]
        body = _damaged(pick, body, others)
    return Upload(route, content_type, body)


def _damaged(pick: random.Random, data: bytes, others: list[bytes]) -> bytes:
    for _ in range(pick.randint(1, 3)):
        data = pick.choice(DAMAGES)(pick, data, pick.choice(others))
    return data


def _flip(pick: random.Random, data: bytes, _: bytes) -> bytes:
    """Bits, more often than not in the first bytes, where the meaning is."""
    flipped = bytearray(data or b"\0")
    for _turn in range(pick.randint(1, 8)):
        flipped[pick.randrange(min(len(flipped), pick.choice((40, 200, 1 << 20))))] ^= 1 << pick.randrange(8)
    return bytes(flipped)


def _cut(pick: random.Random, data: bytes, _: bytes) -> bytes:
    return data[: pick.randint(0, len(data))]


def _splice(pick: random.Random, data: bytes, other: bytes) -> bytes:
    return data[: pick.randint(0, len(data))] + other[pick.randint(0, len(other)) :]


def _swap_head(pick: random.Random, data: bytes, other: bytes) -> bytes:
    length = pick.choice((4, 12, 16, 33, 64))
    return other[:length] + data[length:]


def _repeat(pick: random.Random, data: bytes, _: bytes) -> bytes:
    start, end = sorted((pick.randint(0, len(data)), pick.randint(0, len(data))))
    return data[:end] + data[start:end] * pick.randint(1, 4) + data[end:]


DAMAGES: Final[tuple[Callable[[random.Random, bytes, bytes], bytes], ...]] = (_flip, _cut, _splice, _swap_head, _repeat)


def _multipart(files: dict[str, bytes]) -> tuple[str, bytes]:
    parts = [
        f'--b\r\nContent-Disposition: form-data; name="{name}"; filename="a.jpg"\r\n\r\n'.encode() + content + b"\r\n"
        for name, content in files.items()
    ]
    return "multipart/form-data; boundary=b", b"".join(parts) + b"--b--\r\n"


def _json(files: dict[str, bytes]) -> tuple[str, bytes]:
    return "application/json", json.dumps({n: base64.b64encode(c).decode() for n, c in files.items()}).encode()


def _raw(files: dict[str, bytes]) -> tuple[str, bytes]:
    return "image/*", next(iter(files.values()))


FORMS: Final[dict[str, Callable[[dict[str, bytes]], tuple[str, bytes]]]] = {
    "multipart": _multipart,
    "json": _json,
    "raw": _raw,
}
