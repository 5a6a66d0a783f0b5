"""Bodies of uploads, and the reader under small limits."""

from __future__ import annotations

from starlette.requests import Request

from facesocial.configuration import LimitSettings
from services.edge.upload import Upload, read_upload

LIMITS = LimitSettings(image_bytes=4096, form_bytes=1024)
MULTIPART = "multipart/form-data; boundary=b0undary"


def part(name: str, content: bytes, filename: str | None = None, declared: str | None = None) -> bytes:
    """One part of a multipart body."""
    disposition = f'Content-Disposition: form-data; name="{name}"'
    disposition += "" if filename is None else f'; filename="{filename}"'
    head = disposition + ("" if declared is None else f"\r\nContent-Type: {declared}")
    return b"--b0undary\r\n" + head.encode() + b"\r\n\r\n" + content + b"\r\n"


def form(*parts: bytes) -> bytes:
    """A whole multipart body."""
    return b"".join(parts) + b"--b0undary--\r\n"


async def read(request: Request, names: tuple[str, ...] = ("image",), limits: LimitSettings = LIMITS) -> Upload:
    """What the reader makes of a request."""
    return await read_upload(request, names, limits, lambda _: None)
