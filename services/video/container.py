"""What the first bytes say a video is, before FFmpeg sees it: it would try 300 formats, some of which open sockets."""

from __future__ import annotations

import re
from typing import Final, Literal

from facesocial.errors import UnsupportedMediaType

Container = Literal["mp4", "webm"]

BRANDS: Final = re.compile(rb"....ftyp(iso[m2-9a-c]|mp4[12]|avc1|M4V[ HP]|MSNV|dash)", re.DOTALL)
"""Major brands of MP4; QuickTime, 3GP, M4A, HEIC and AVIF have others."""

WEBM: Final = re.compile(rb"\x1a\x45\xdf\xa3.{1,48}?\x42\x82\x84webm", re.DOTALL)
"""EBML's magic, then in the same header the document type; other Matroska says `matroska` there."""


def container_of(data: bytes) -> Container:
    """Which container the bytes are, whatever name or type they came with.

    Raises:
        UnsupportedMediaType: neither MP4 nor WebM.
    """
    if BRANDS.match(data):
        return "mp4"
    if WEBM.match(data):
        return "webm"
    raise UnsupportedMediaType("expected an MP4 or WebM video")
