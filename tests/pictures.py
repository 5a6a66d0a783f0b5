"""Pictures made to order: small good ones, and the bad ones of checks F with the error each must get."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import Any, Final

import numpy as np
from PIL import Image

SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    """The file Pillow writes."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def plain(kind: str = "JPEG", width: int = 64, height: int = 48, mode: str = "RGB") -> bytes:
    """A picture of one colour."""
    return encoded(Image.new(mode, (width, height), 1), kind)


def noise(kind: str = "JPEG", width: int = 320, height: int = 240) -> bytes:
    """Pixels that do not compress, the same each time."""
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    return encoded(Image.fromarray(pixels), kind)


def chunk(kind: bytes, content: bytes) -> bytes:
    """A PNG chunk with a true checksum."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def ihdr(width: int, height: int) -> bytes:
    """The first chunk of a 1-bit PNG."""
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0))


def png(*chunks: bytes, width: int = 64, height: int = 64) -> bytes:
    """A black 1-bit PNG with `chunks` before its pixels."""
    pixels = zlib.compress(bytes(height * (1 + (width + 7) // 8)))
    return SIGNATURE + ihdr(width, height) + b"".join(chunks) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def first_frame(width: int, height: int) -> bytes:
    """The chunks that make a PNG an animation whose pixels are the first frame."""
    control = struct.pack(">IIIIIHHBB", 0, width, height, 0, 0, 1, 1, 0, 0)
    return chunk(b"acTL", struct.pack(">II", 2, 0)) + chunk(b"fcTL", control)


def animated(kind: str, frames: int) -> bytes:
    """An animation whose first frame is (200, 100, 50) all over, and the others dark."""
    first, *others = [Image.new("RGB", (64, 48), (200, 100, 50) if n == 0 else (n % 64, 0, 0)) for n in range(frames)]
    options = {"lossless": True} if kind == "WEBP" else {}
    return encoded(first, kind, save_all=True, append_images=others, **options)


def progressive_bomb(scans: int) -> bytes:
    """A JPEG that repeats its last, nearly free scan; each costs the decoder a pass over all coefficients."""
    data = encoded(Image.new("L", (2000, 2000), 128), "JPEG", progressive=True)
    last = data[data.rfind(b"\xff\xda") : -2]
    return data[:-2] + last * scans + data[-2:]


def _in_jpeg(segments: bytes) -> bytes:
    data = plain()
    return data[:2] + segments + data[2:]


def _bit_flipped_png() -> bytes:
    data = bytearray(noise("PNG"))
    data[len(data) // 2] ^= 0x10
    return bytes(data)


_HUGE: Final = zlib.compress(bytes(100 << 20))

BAD: Final[dict[str, tuple[str, Callable[[], bytes]]]] = {
    "I1 144 megapixels in 18 kB": ("image_too_large", lambda: png(width=12_000, height=12_000)),
    "I2 400 megapixels in 49 kB": ("image_too_large", lambda: png(width=20_000, height=20_000)),
    "I2 a header without pixels": ("image_too_large", lambda: SIGNATURE + ihdr(65_535, 65_535) + chunk(b"IEND", b"")),
    "I2 a second, larger header": ("image_too_large", lambda: png(ihdr(12_000, 12_000))),
    "I3 a strip": ("image_dimensions", lambda: plain("PNG", 1, 60_000)),
    "I3 one pixel": ("image_dimensions", lambda: plain("PNG", 1, 1)),
    "I3 one pixel under the least side": ("image_dimensions", lambda: plain("PNG", 15, 16)),
    "I3 one pixel over the greatest side": ("image_dimensions", lambda: plain("PNG", 12_001, 16)),
    "I4 JPEG cut at 50 %": ("image_truncated", lambda: noise()[: len(noise()) // 2]),
    "I4 JPEG cut in the last 2 %": ("image_truncated", lambda: noise()[: len(noise()) * 99 // 100]),
    "I4 JPEG without its last byte": ("image_truncated", lambda: noise()[:-1]),
    "I4 JPEG of three bytes": ("image_truncated", lambda: noise()[:3]),
    "I4 PNG cut at 50 %": ("image_truncated", lambda: noise("PNG")[: len(noise("PNG")) // 2]),
    "I4 PNG without its end": ("image_truncated", lambda: noise("PNG")[:-12]),
    "I4 PNG with a wrong checksum": ("image_truncated", _bit_flipped_png),
    "I4 PNG with a chunk of 2 GB": ("image_truncated", lambda: png()[:-12] + b"\x7f\xff\xff\xf0IDAT" + bytes(99)),
    "I4 PNG with no end": ("image_truncated", lambda: png()[:-12]),
    "I4 WebP cut at 50 %": ("image_truncated", lambda: noise("WEBP")[: len(noise("WEBP")) // 2]),
    "I4 WebP without its last byte": ("image_truncated", lambda: noise("WEBP")[:-1]),
    "I6 SVG": ("unsupported_media_type", lambda: b'<svg xmlns="http://www.w3.org/2000/svg" width="64" height="64"/>'),
    "I6 HTML": ("unsupported_media_type", lambda: b"<!DOCTYPE html><html><script>alert(1)</script></html>"),
    "I6 EPS": ("unsupported_media_type", lambda: encoded(Image.new("RGB", (64, 64)), "EPS")),
    "I6 PDF": ("unsupported_media_type", lambda: b"%PDF-1.7\n1 0 obj<</Type/Catalog>>endobj\n%%EOF"),
    "I6 script behind a GIF header": ("unsupported_media_type", lambda: b"GIF89a=1;alert(1)//"),
    "I6 TIFF": ("unsupported_media_type", lambda: plain("TIFF")),
    "I6 BMP": ("unsupported_media_type", lambda: plain("BMP")),
    "I6 FITS": ("unsupported_media_type", lambda: b"SIMPLE  =                    T".ljust(2880)),
    "I6 PSD": ("unsupported_media_type", lambda: b"8BPS\x00\x01" + bytes(60)),
    "I6 HEIC": ("unsupported_media_type", lambda: b"\x00\x00\x00\x18ftypheic" + bytes(64)),
    "I6 AVIF": ("unsupported_media_type", lambda: b"\x00\x00\x00\x1cftypavif" + bytes(64)),
    "I6 WAV in RIFF": ("unsupported_media_type", lambda: b"RIFF\x24\x00\x00\x00WAVEfmt " + bytes(64)),
    "I10 GIF": ("unsupported_media_type", lambda: animated("GIF", 3)),
    "I10 APNG with a first frame of another size": ("image_truncated", lambda: png(first_frame(16, 16))),
    "I10 APNG with a giant first frame": ("image_truncated", lambda: png(first_frame(12_000, 12_000))),
    "I11 zTXt bomb": ("image_truncated", lambda: png(chunk(b"zTXt", b"key\0\0" + _HUGE))),
    "I11 iCCP bomb": ("image_truncated", lambda: png(chunk(b"iCCP", b"key\0\0" + _HUGE))),
    "I11 1 000 text chunks": ("image_truncated", lambda: png(*[chunk(b"tEXt", b"key\0value")] * 1000)),
    "I11 400 000 empty chunks": ("image_truncated", lambda: png(*[chunk(b"prVt", b"")] * 400_000)),
    "I11 800 000 empty chunks behind the pixels": (
        "image_truncated",
        lambda: png()[:-12] + chunk(b"IDAT", b"") * 800_000 + chunk(b"IEND", b""),
    ),
    "I11 JPEG of a million comments": ("image_truncated", lambda: _in_jpeg(b"\xff\xfe\x00\x02" * 1_000_000)),
    "I11 JPEG of filling": ("image_truncated", lambda: _in_jpeg(b"\xff" * 5_000_000)),
    "I11 JPEG of 200 scans": ("image_truncated", lambda: progressive_bomb(200)),
}
"""Name → (code of the error, how to make the file)."""


@cache
def bad(name: str) -> bytes:
    """The file of an entry of `BAD`."""
    return BAD[name][1]()


SIX = (
    (744, 347, 844, 476),
    (1129, 270, 1226, 399),
    (465, 267, 577, 420),
    (906, 60, 1009, 204),
    (269, 148, 373, 272),
    (57, 262, 173, 397),
)
"""Where the six faces of the sample picture are, pixels; YuNet's boxes."""


def of_the_six(boxes: Iterable[Sequence[float]]) -> set[int]:
    """Which of the six faces are among these boxes: half of both together is in both."""
    return {number for box in boxes for number, face in enumerate(SIX) if _overlap(box, face) >= 0.5}


def _overlap(one: Sequence[float], other: Sequence[float]) -> float:
    low, high = np.maximum(one[:2], other[:2]), np.minimum(one[2:], other[2:])
    both = float(np.prod(np.clip(high - low, 0, None)))
    areas = sum(float((box[2] - box[0]) * (box[3] - box[1])) for box in (one, other))
    return both / (areas - both)
