"""Every error that FaceSocial raises on purpose.

    FaceSocialError
    ├── ConfigurationError          a value in configuration.yaml or the environment
    ├── InputError                  what the caller sent
    │   ├── BadRequest              the request cannot be parsed
    │   ├── FileExpected            a part that must be a file is missing, empty or a URL
    │   ├── PayloadTooLarge         more bytes than the limit
    │   ├── ImageTooLarge           more pixels than the limit
    │   ├── UnsupportedMediaType    by content neither JPEG, PNG nor WebP; for a video neither MP4 nor WebM
    │   ├── ImageTruncated          the header is fine, the pixels are not
    │   ├── ImageDimensions         a side outside the permitted range
    │   ├── VideoTooLarge           more bytes, pixels, frames or seconds than the limit
    │   ├── VideoUnreadable         no video that we read, damaged, encrypted, or too slow to decode
    │   ├── InvalidParameter        a field outside its range or unknown
    │   ├── NotFound                what it names is not there
    │   ├── MethodNotAllowed        it is there, for other methods
    │   ├── Unauthenticated         nobody says who the caller is
    │   └── RateLimited             too many requests in too short a time
    ├── ModelError
    │   ├── ModelNotInstalled       no model is registered under this alias
    │   ├── UnknownModel            the catalogue has no such entry
    │   ├── ModelIntegrityError     wrong digest, external data, not a model
    │   ├── LicenceNotAccepted      weights that need --accept-license
    │   ├── DownloadError           no source of a file could be read
    │   ├── StoreNotWritable        the model store cannot be changed
    │   └── ConversionError         the source cannot be turned into ONNX
    ├── DeviceError                 a card failed; the CPU answers, no caller sees it
    │   ├── OutOfDeviceMemory       it has no room
    │   └── DeviceLost              nothing will run on it until the process starts anew
    └── ServiceError
        ├── NotReady                starting, draining, or a required model is missing
        │   └── ProcessLost         the process that does the work is gone, or went while it worked
        ├── Conflict                the present state does not allow it
        ├── Overloaded              no room in the queue
        └── DeadlineExceeded        the work took longer than permitted

`code` is the stable name a client sees; which HTTP status goes with it is decided in `services.edge.problems` alone.
`str(error)` is safe to show to a caller: it never holds a path, a library name, a file name or content.
"""

from __future__ import annotations

from collections.abc import Sequence


class FaceSocialError(Exception):
    """Base of everything raised on purpose."""

    code = "internal"

    retry_after: int | None = None
    """Seconds after which it is worth trying again, where that is known."""

    @property
    def detail(self) -> str:
        """One sentence for the caller."""
        return str(self)


class ConfigurationError(FaceSocialError):
    """A configuration value is missing, unknown or out of range. The message names line, key and what is allowed."""

    code = "configuration"


class InputError(FaceSocialError):
    """The caller sent something that cannot be used."""

    code = "bad_request"


class BadRequest(InputError):
    """The request itself cannot be parsed (multipart, JSON)."""

    code = "bad_request"


class FileExpected(InputError):
    """A file part is missing, empty, or holds something that is not a file, such as a URL."""

    code = "file_expected"


class PayloadTooLarge(InputError):
    """More bytes than the limit; the limit is in the message."""

    code = "payload_too_large"


class ImageTooLarge(InputError):
    """More pixels than the limit; the limit is in the message."""

    code = "image_too_large"


class UnsupportedMediaType(InputError):
    """The content is not one of the supported formats, or does not match what was declared."""

    code = "unsupported_media_type"


class ImageTruncated(InputError):
    """The pixels end early or are damaged."""

    code = "image_truncated"


class ImageDimensions(InputError):
    """A side is outside the permitted range."""

    code = "image_dimensions"


class VideoTooLarge(InputError):
    """More bytes, pixels a frame, frames or seconds than the limit; the limit is in the message."""

    code = "video_too_large"


class VideoUnreadable(InputError):
    """No video track that we read, damaged, encrypted, or nothing to be decoded in the time and memory it may take."""

    code = "video_unreadable"


class InvalidParameter(InputError):
    """A form field or query parameter is unknown or out of range."""

    code = "validation_error"


class NotFound(InputError):
    """What the request names is not there."""

    code = "not_found"


class MethodNotAllowed(InputError):
    """What the request names takes `allowed` alone."""

    code = "method_not_allowed"

    def __init__(self, message: str, allowed: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.allowed = allowed


class Unauthenticated(InputError):
    """Nobody says who the caller is."""

    code = "unauthenticated"


class RateLimited(InputError):
    """More requests in the last minute than `limit`; in `retry_after` seconds there is room for one."""

    code = "rate_limited"

    def __init__(self, message: str, limit: int = 0, retry_after: int = 1) -> None:
        super().__init__(message)
        self.limit = limit
        self.retry_after = retry_after


class ModelError(FaceSocialError):
    """Something about a model, its files or its licence."""

    code = "model"


class ModelNotInstalled(ModelError):
    """No installed model serves this alias. The message holds the command that installs one."""

    code = "model_not_installed"


class UnknownModel(ModelError):
    """The catalogue has no entry of this name."""

    code = "unknown_model"


class ModelIntegrityError(ModelError):
    """A file is not the one the catalogue or the registration names, or is not a loadable model."""

    code = "model_integrity"


class LicenceNotAccepted(ModelError):
    """The weights are non-commercial or copyleft and the caller did not accept that."""

    code = "licence_not_accepted"


class DownloadError(ModelError):
    """None of a file's sources could be read."""

    code = "download"


class StoreNotWritable(ModelError):
    """The model store cannot be changed: read-only, full, or somebody else's."""

    code = "store_not_writable"


class ConversionError(ModelError):
    """The source file does not hold the network the converter expects."""

    code = "conversion"


class DeviceError(FaceSocialError):
    """A card failed, not the request: the same work runs on the CPU."""

    code = "device"


class OutOfDeviceMemory(DeviceError):
    """The card has no room for a session or for what a run needs."""

    code = "out_of_device_memory"


class DeviceLost(DeviceError):
    """A sticky error: the process's context on the card is poisoned until the process ends."""

    code = "device_lost"


class ServiceError(FaceSocialError):
    """The request is fine; the service cannot do it now."""

    code = "service"


class NotReady(ServiceError):
    """Starting, draining, or a required model can run nowhere."""

    code = "not_ready"


class ProcessLost(NotReady):
    """The inner process is not there, or ended before it answered; the supervisor starts it again."""


class Conflict(ServiceError):
    """The present state does not allow it."""

    code = "conflict"


class Overloaded(ServiceError):
    """Every place in the queue is taken; in `retry_after` seconds there may be one."""

    code = "overloaded"

    def __init__(self, message: str, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class DeadlineExceeded(ServiceError):
    """The deadline passed before the answer was ready."""

    code = "deadline_exceeded"


def error_of(code: str, detail: str) -> FaceSocialError:
    """The error with this code, as another process of ours reported it; an unknown code gives the base class."""
    return _by_code(FaceSocialError).get(code, FaceSocialError)(detail)


def _by_code(kind: type[FaceSocialError]) -> dict[str, type[FaceSocialError]]:
    """Code → class; where a parent and its child share one, the parent."""
    known: dict[str, type[FaceSocialError]] = {}
    for child in kind.__subclasses__():
        known = _by_code(child) | known
    return known | {kind.code: kind}
