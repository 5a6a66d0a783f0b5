"""What a service says."""

from __future__ import annotations

from typing import Any, Final

import httpx

FACE: Final[dict[str, Any]] = {"box": [1, 2.5, 30, 40], "score": 0.75, "landmarks": [[n, n + 1] for n in range(5)]}

ENVELOPE: Final[dict[str, Any]] = {
    "request_id": "r1",
    "image": {"width": 64, "height": 48},
    "models": {"face-detection": "yunet:abc"},
    "device": {"detection": "cpu"},
    "timing_ms": {"upload": 1},
    "cached": False,
}

PAIR: Final[dict[str, Any]] = {"similarity": 0.5, "threshold": 0.4, "same": True, "box_a": FACE["box"], "box_b": None}


def found(*faces: dict[str, Any], **more: Any) -> httpx.Response:
    """An answer with these faces."""
    return httpx.Response(200, json={**ENVELOPE, "faces": list(faces), **more})


def refused(status: int, code: str, retry_after: str | None = None) -> httpx.Response:
    """A problem."""
    body = {"type": "t", "title": "t", "status": status, "detail": "because", "code": code, "request_id": "r2"}
    headers = {"Content-Type": "application/problem+json"}
    if retry_after is not None:
        headers["Retry-After"] = retry_after
    return httpx.Response(status, json=body, headers=headers)
