"""Every error of a call.

    FaceSocialError
    ├── InvalidRequest              the service cannot use what was sent; the same again will fare no better
    │   ├── BadRequest              the request cannot be parsed
    │   ├── NotFound                there is nothing here: look at the URL
    │   ├── MethodNotAllowed        likewise
    │   ├── Conflict                the present state does not allow it
    │   ├── PayloadTooLarge         more bytes than the limit
    │   ├── ImageTooLarge           more pixels than the limit
    │   ├── UnsupportedMediaType    not JPEG, PNG or WebP
    │   ├── FileExpected            the image is empty
    │   ├── ImageTruncated          the header is fine, the pixels are not
    │   ├── ImageDimensions         a side outside the permitted range
    │   ├── VideoTooLarge           more bytes, pixels, frames or seconds than the limit
    │   ├── VideoUnreadable         no video that the service reads, damaged, encrypted, or too slow to decode
    │   └── InvalidParameter        a parameter outside its range or unknown
    ├── AccessDenied
    │   ├── Unauthenticated         no token, or one that is not valid
    │   └── Forbidden               the token does not permit this
    ├── RateLimited                 too many requests in too short a time
    └── ServiceError                the request is fine
        ├── Overloaded              no room in the queue
        ├── NotReady                starting, stopping, or a required model is missing
        ├── ModelNotInstalled       the service has no model for this; `detail` has the command that installs one
        ├── DeadlineExceeded        no answer within the time that it may take
        ├── InternalError           a defect of the service; its log has it under `request_id`
        ├── InvalidReply            an answer came, but not one that this client understands
        └── ConnectionFailed        no answer came

What the service says decides: `code` first, the HTTP status where a code is new to this client, or a proxy answered.
A file that cannot be read is an `OSError`, an argument of the wrong type a `TypeError`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final


class FaceSocialError(Exception):
    """Base of all.

    Attributes:
        detail: one sentence, the service's where it said one; also `str(error)`.
        status: of the HTTP answer; None: there was none.
        code: the service's stable name of the error; of a class here, the one it stands for.
        request_id: under which the service's log has the request; None: it is not known.
        retry_after: seconds after which another attempt makes sense; None: nobody said.
    """

    code: str = "error"

    def __init__(
        self,
        detail: str,
        *,
        status: int | None = None,
        code: str | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail, self.status, self.code = detail, status, code or type(self).code
        self.request_id, self.retry_after = request_id, retry_after


class InvalidRequest(FaceSocialError):
    """The service cannot use what was sent."""

    code = "invalid_request"


class BadRequest(InvalidRequest):
    """The request cannot be parsed."""

    code = "bad_request"


class NotFound(InvalidRequest):
    """There is nothing under this URL."""

    code = "not_found"


class MethodNotAllowed(InvalidRequest):
    """What is under this URL is asked in another way."""

    code = "method_not_allowed"


class Conflict(InvalidRequest):
    """The present state does not allow it."""

    code = "conflict"


class PayloadTooLarge(InvalidRequest):
    """More bytes than the limit, which is in `detail`."""

    code = "payload_too_large"


class ImageTooLarge(InvalidRequest):
    """More pixels than the limit, which is in `detail`."""

    code = "image_too_large"


class UnsupportedMediaType(InvalidRequest):
    """Not JPEG, PNG or WebP by content."""

    code = "unsupported_media_type"


class FileExpected(InvalidRequest):
    """The image is empty."""

    code = "file_expected"


class ImageTruncated(InvalidRequest):
    """The pixels end early or are damaged."""

    code = "image_truncated"


class ImageDimensions(InvalidRequest):
    """A side is outside the permitted range."""

    code = "image_dimensions"


class VideoTooLarge(InvalidRequest):
    """More bytes, pixels a frame, frames or seconds than the limit, which is in `detail`."""

    code = "video_too_large"


class VideoUnreadable(InvalidRequest):
    """No video that the service reads, damaged, encrypted, or too slow to decode."""

    code = "video_unreadable"


class InvalidParameter(InvalidRequest):
    """A parameter is unknown or out of range; `detail` names it."""

    code = "validation_error"


class AccessDenied(FaceSocialError):
    """Not for this caller."""

    code = "access_denied"


class Unauthenticated(AccessDenied):
    """No token, or one that is not valid."""

    code = "unauthenticated"


class Forbidden(AccessDenied):
    """The token is valid and does not permit this."""

    code = "forbidden"


class RateLimited(FaceSocialError):
    """Too many requests; there is room again in `retry_after` seconds."""

    code = "rate_limited"


class ServiceError(FaceSocialError):
    """The request is fine; the service cannot do it now."""

    code = "service_error"


class Overloaded(ServiceError):
    """Every place in the queue is taken."""

    code = "overloaded"


class NotReady(ServiceError):
    """Starting, stopping, or a required model is missing."""

    code = "not_ready"


class ModelNotInstalled(ServiceError):
    """The service has no model for this."""

    code = "model_not_installed"


class DeadlineExceeded(ServiceError):
    """No answer within the time that the service or the caller gives it; `status` is None where it was the caller's."""

    code = "deadline_exceeded"


class InternalError(ServiceError):
    """A defect of the service."""

    code = "internal"


class InvalidReply(ServiceError):
    """An answer that is not of the contract: another program's, or a service too new for this client."""

    code = "invalid_reply"


class ConnectionFailed(ServiceError):
    """No answer came: no way to the service, or the connection broke."""

    code = "connection_failed"


def kind_of(status: int, code: str | None) -> type[FaceSocialError]:
    """Which error an HTTP answer is."""
    if code in _KINDS:
        return _KINDS[code]
    if status in _STATUSES:
        return _STATUSES[status]
    return ServiceError if status >= 500 else InvalidRequest if status >= 400 else InvalidReply


def _tree(kind: type[FaceSocialError]) -> Iterator[type[FaceSocialError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from _tree(child)


_KINDS: Final = {kind.code: kind for kind in _tree(FaceSocialError)}

_STATUSES: Final[dict[int, type[FaceSocialError]]] = {
    401: Unauthenticated,
    403: Forbidden,
    404: NotFound,
    405: MethodNotAllowed,
    409: Conflict,
    413: PayloadTooLarge,
    415: UnsupportedMediaType,
    429: RateLimited,
    503: NotReady,
    504: DeadlineExceeded,
}
"""Where the code says nothing to us."""
