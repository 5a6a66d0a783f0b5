"""Which HTTP answer an error becomes: RFC 9457 problem+json. The one place that knows status codes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from starlette.responses import Response

from facesocial.errors import FaceSocialError, MethodNotAllowed, RateLimited
from services.edge.rates import Allowance

STATUS: Final[dict[str, int]] = {
    "bad_request": 400,
    "unauthenticated": 401,
    "not_found": 404,
    "method_not_allowed": 405,
    "conflict": 409,
    "payload_too_large": 413,
    "image_too_large": 413,
    "video_too_large": 413,
    "unsupported_media_type": 415,
    "file_expected": 422,
    "image_truncated": 422,
    "image_dimensions": 422,
    "video_unreadable": 422,
    "validation_error": 422,
    "rate_limited": 429,
    "internal": 500,
    "not_ready": 503,
    "overloaded": 503,
    "model_not_installed": 503,
    "deadline_exceeded": 504,
}
"""Code → status. A code that is missing here is a defect of the service and answered as `internal`."""

TITLES: Final[dict[str, str]] = {
    "bad_request": "The request cannot be parsed",
    "unauthenticated": "It is not known who asks",
    "not_found": "No such resource",
    "method_not_allowed": "The resource does not take this method",
    "conflict": "The present state does not allow it",
    "payload_too_large": "The body is too large",
    "image_too_large": "The image has too many pixels",
    "video_too_large": "The video is too large",
    "unsupported_media_type": "The media type is not supported",
    "file_expected": "A file is expected",
    "image_truncated": "The image is damaged",
    "image_dimensions": "The image has unusable dimensions",
    "video_unreadable": "The video cannot be read",
    "validation_error": "A parameter is not valid",
    "rate_limited": "Too many requests",
    "internal": "Internal error",
    "not_ready": "The service is not ready",
    "overloaded": "The service is at its limit",
    "model_not_installed": "The model is not installed",
    "deadline_exceeded": "The deadline has passed",
}

RETRY_SECONDS: Final[dict[str, int]] = {"not_ready": 5, "overloaded": 1}
"""Codes that carry `Retry-After`, and how long where the error does not say."""

SHOWN: Final = 8
"""Most mistakes that an answer lists."""

LONGEST: Final = 64
"""Most characters of a field's name in an answer: an unknown field has a name of the caller's choice."""

MEDIA_TYPE: Final = "application/problem+json"


def problem(code: str, detail: str, request_id: str) -> Response:
    """The answer for an error code. `detail` reaches the caller."""
    status = STATUS[code]
    body = {
        "type": f"urn:facesocial:problem:{code}",
        "title": TITLES[code],
        "status": status,
        "detail": detail,
        "code": code,
        "request_id": request_id,
    }
    headers = {"Retry-After": str(RETRY_SECONDS[code])} if code in RETRY_SECONDS else {}
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return Response(json.dumps(body), status_code=status, headers=headers, media_type=MEDIA_TYPE)


def problem_of(error: Exception, request_id: str) -> Response:
    """The answer for an error. One that is not ours, or not for callers, is answered as `internal`, without detail."""
    if not isinstance(error, FaceSocialError) or error.code not in STATUS or error.code == "internal":
        return internal(request_id)
    answer = problem(error.code, error.detail, request_id)
    if error.retry_after is not None:
        answer.headers["Retry-After"] = str(error.retry_after)
    if isinstance(error, MethodNotAllowed):
        answer.headers["Allow"] = ", ".join(error.allowed)
    if isinstance(error, RateLimited):
        answer.headers.update(Allowance(error.limit, 0, error.retry_after or 0).headers)
    return answer


def internal(request_id: str) -> Response:
    """The answer for a defect: nothing of it reaches the caller; the log has it under the request id."""
    return problem("internal", "An unexpected error occurred; the log has it under this request id.", request_id)


def in_words(mistakes: Sequence[Mapping[str, Any]]) -> str:
    """What pydantic found wrong, field by field."""
    return "; ".join(f"{'.'.join(map(str, one['loc']))[:LONGEST] or 'form'}: {one['msg']}" for one in mistakes[:SHOWN])
