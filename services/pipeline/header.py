"""The gate before any decoder: what the first bytes say the picture is, and whether we want it."""

from __future__ import annotations

import io
import re
import struct
import warnings
import zlib
from dataclasses import dataclass
from typing import Final, Literal

from PIL import ExifTags, Image, UnidentifiedImageError

from facesocial.configuration import LimitSettings
from facesocial.errors import ImageDimensions, ImageTooLarge, ImageTruncated, UnsupportedMediaType

Format = Literal["jpeg", "png", "webp"]

FORMATS: Final[dict[str, Format]] = {"JPEG": "jpeg", "MPO": "jpeg", "PNG": "png", "WEBP": "webp"}
"""Pillow's names for what we accept; an MPO is a JPEG with more pictures behind it."""

JPEG: Final = b"\xff\xd8\xff"
PNG: Final = b"\x89PNG\r\n\x1a\n"

PIECES: Final = 256
"""A JPEG of more segments, or a PNG of more chunks before its pixels, was made to keep readers busy."""

CHUNKS: Final = 65_536
"""Most chunks of a PNG in all; writers cut the pixels into pieces of 8 kB and more."""

SCANS: Final = 64
"""A progressive JPEG has about ten; each costs a pass over all coefficients (20 ms at 36 megapixels)."""

MARKER: Final = re.compile(rb"\xff([^\x00\x01\xd0-\xd8\xff])")
"""A JPEG marker with a segment behind it, or the end (D9); neither stuffing nor restarts."""

FILL: Final = 16
"""Most bytes between two header segments; Pillow reads them one by one."""

Image.MAX_IMAGE_PIXELS = None  # the limit is ours, below; Pillow's only warns
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")  # odd metadata would fill the log


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
        ImageTruncated: the header itself is cut short or damaged, or made of far too many pieces.
    """
    if not _known_signature(data):
        raise UnsupportedMediaType("expected a JPEG, PNG or WebP image")
    if data.startswith(JPEG):
        _check_segments(data)
    if data.startswith(PNG):
        _check_chunks(data)
    try:
        with Image.open(io.BytesIO(data), formats=("JPEG", "PNG", "WEBP")) as image:
            _check_size(image.width, image.height, limits)
            header = Header(FORMATS[str(image.format)], image.width, image.height, _orientation(image))
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
    if header.format == "png":
        _check_lengths(data)
    return header


def _known_signature(data: bytes) -> bool:
    return data.startswith((JPEG, PNG)) or (data[:4] == b"RIFF" and data[8:12] == b"WEBP")


def _check_size(width: int, height: int, limits: LimitSettings) -> None:
    if width * height > limits.image_pixels:
        raise ImageTooLarge(f"{width}×{height} pixels; the limit is {limits.image_pixels / 1e6:g} megapixels")
    if not (limits.side_min <= width <= limits.side_max and limits.side_min <= height <= limits.side_max):
        raise ImageDimensions(f"{width}×{height} pixels; each side must be {limits.side_min} to {limits.side_max}")


def _orientation(image: Image.Image) -> int:
    exif = Image.Exif()  # not image.getexif(): that decodes a PNG in full, to look for EXIF behind the pixels
    try:
        exif.load(image.info.get("exif", b""))
        orientation = exif.get(ExifTags.Base.Orientation, 1)
    except Exception:  # noqa: BLE001 — broken EXIF is no reason to refuse good pixels; Pillow raises whatever it meets
        return 1
    return orientation if isinstance(orientation, int) and 1 <= orientation <= 8 else 1


def _check_segments(data: bytes) -> None:
    """Count a JPEG's segments.

    Raises:
        ImageTruncated: more than `PIECES` segments, `SCANS` scans, or `FILL` bytes between two header segments.
    """
    position, scans = 2, 0
    for _ in range(PIECES):
        marker = MARKER.search(data, position)
        if marker is None or marker[1] == b"\xd9":
            return
        if not scans and marker.start() - position > FILL:
            raise ImageTruncated("the image header is damaged")
        scans += marker[1] == b"\xda"
        if scans > SCANS:
            raise ImageTruncated(f"more than {SCANS} scans")
        position = marker.end() + int.from_bytes(data[marker.end() : marker.end() + 2])
    raise ImageTruncated(f"more than {PIECES} segments")


def _check_chunks(data: bytes) -> None:
    """Count a PNG's chunks before the pixels.

    Raises:
        ImageTruncated: more than `PIECES`, or the pixels are an animation's frame of another size than the picture.
    """
    position = len(PNG)
    for _ in range(PIECES):
        length, kind = int.from_bytes(data[position : position + 4]), data[position + 4 : position + 8]
        if kind in (b"IDAT", b""):
            return
        if kind == b"fcTL" and data[position + 12 : position + 20] != data[16:24]:
            raise ImageTruncated("the first frame is not as large as the picture")
        position += 12 + length
    raise ImageTruncated(f"more than {PIECES} chunks before the pixels")


def _check_lengths(data: bytes) -> None:
    """See that every chunk ends inside the file: OpenCV allocates what a length says, up to 2 GB, before it reads.

    Raises:
        ImageTruncated: one does not, or there are more than `CHUNKS`.
    """
    position = len(PNG)
    for _ in range(CHUNKS):
        length, kind = int.from_bytes(data[position : position + 4]), data[position + 4 : position + 8]
        position += 12 + length
        if position > len(data):
            raise ImageTruncated("the image ends early")
        if kind == b"IEND":
            return
    raise ImageTruncated(f"more than {CHUNKS} chunks")
