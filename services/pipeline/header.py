"""The gate before any decoder: what the first bytes say the picture is, and whether we want it."""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import dataclass
from typing import Final, Literal

from PIL import ExifTags, Image, UnidentifiedImageError

from facesocial.configuration import LimitSettings
from facesocial.errors import ImageDimensions, ImageTooLarge, ImageTruncated, UnsupportedMediaType

Format = Literal["jpeg", "png", "webp"]

FORMATS: Final[dict[str, Format]] = {"JPEG": "jpeg", "MPO": "jpeg", "PNG": "png", "WEBP": "webp"}
"""Pillow's names for what we accept; an MPO is a JPEG with more pictures behind it."""

METADATA_CHUNKS: Final = 256
"""A PNG with more text chunks than this was made to keep readers busy."""

Image.MAX_IMAGE_PIXELS = None  # the limit is ours, below; Pillow's only warns


@dataclass(frozen=True, slots=True)
class Header:
    """`width` and `height` as stored, in pixels; `orientation` is EXIF's, 1 … 8."""

    format: Format
    width: int
    height: int
    orientation: int

    @property
    def upright(self) -> tuple[int, int]:
        """(width, height) after the orientation is applied."""
        return (self.height, self.width) if self.orientation >= 5 else (self.width, self.height)


def read_header(data: bytes, limits: LimitSettings) -> Header:
    """Judge a file by its content, without decoding a pixel.

    Raises:
        UnsupportedMediaType: not JPEG, PNG or WebP.
        ImageTooLarge: more pixels than `limits.image_pixels`.
        ImageDimensions: a side outside `limits.side_min` … `limits.side_max`.
        ImageTruncated: the header itself is cut short or damaged.
    """
    if not _known_signature(data):
        raise UnsupportedMediaType("expected a JPEG, PNG or WebP image")
    try:
        with Image.open(io.BytesIO(data), formats=("JPEG", "PNG", "WEBP")) as image:
            file_format = FORMATS[str(image.format)]
            _check_size(image.width, image.height, limits)
            header = Header(file_format, image.width, image.height, _orientation(image))
    except (
        UnidentifiedImageError,
        OSError,
        SyntaxError,
        ValueError,
        KeyError,
        TypeError,
        struct.error,
        zlib.error,
    ) as error:
        raise ImageTruncated("the image header is damaged or cut short") from error
    if file_format == "png":
        _check_chunks(data)
    return header


def _known_signature(data: bytes) -> bool:
    return data.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n")) or (data[:4] == b"RIFF" and data[8:12] == b"WEBP")


def _check_size(width: int, height: int, limits: LimitSettings) -> None:
    if width * height > limits.image_pixels:
        raise ImageTooLarge(f"{width}×{height} pixels; the limit is {limits.image_pixels / 1e6:g} megapixels")
    if not (limits.side_min <= width <= limits.side_max and limits.side_min <= height <= limits.side_max):
        raise ImageDimensions(f"{width}×{height} pixels; each side must be {limits.side_min} to {limits.side_max}")


def _orientation(image: Image.Image) -> int:
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # noqa: BLE001 — broken EXIF is no reason to refuse good pixels; Pillow raises whatever it meets
        return 1
    return orientation if isinstance(orientation, int) and 1 <= orientation <= 8 else 1


def _check_chunks(data: bytes) -> None:
    """Count the text chunks before the pixels.

    Raises:
        ImageTruncated: there are more than `METADATA_CHUNKS`.
    """
    position, found = 8, 0
    while position + 8 <= len(data):
        (length,) = struct.unpack_from(">I", data, position)
        kind = data[position + 4 : position + 8]
        if kind == b"IDAT":
            return
        found += kind in (b"tEXt", b"zTXt", b"iTXt")
        if found > METADATA_CHUNKS:
            raise ImageTruncated(f"more than {METADATA_CHUNKS} text chunks before the pixels")
        position += 12 + length
