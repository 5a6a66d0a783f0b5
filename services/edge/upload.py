"""The one reader of uploads: multipart, raw image body, or base64 JSON, into bounded buffers in memory.

Nothing is spooled to disk, no URL is followed, file names are ignored, and reading stops at the first byte too many.
"""

from __future__ import annotations

import binascii
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from python_multipart import MultipartParser
from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import parse_options_header
from starlette.requests import ClientDisconnect, Request

from facesocial.configuration import LimitSettings
from facesocial.errors import BadRequest, FileExpected, PayloadTooLarge, UnsupportedMediaType
from services.edge.intake import Take

MAX_PARTS: Final = 32
MAX_BOUNDARY: Final = 70
"""RFC 2046, section 5.1.1."""

MAX_JSON: Final = 256
"""Commas and brackets in a JSON body. Base64 has none, and ten megabytes of them would become 300 of objects."""

NO_FILE: Final = ("", "text/plain", "application/x-www-form-urlencoded")
"""Body types that cannot hold a file, but could hold its URL."""


@dataclass(frozen=True, slots=True)
class UploadedFile:
    """Content of a file part; `declared` is its Content-Type in lower case, empty when there was none."""

    content: bytes
    declared: str


@dataclass(frozen=True, slots=True)
class Upload:
    """A request body, read. `fields` holds the text parameters: JSON values where they parse, text otherwise."""

    files: Mapping[str, UploadedFile]
    fields: Mapping[str, Any]


async def read_upload(request: Request, names: tuple[str, ...], limits: LimitSettings, take: Take) -> Upload:
    """Read the body of `request`, and the parameters in its query, whatever form the body has.

    `names` are the fields that must hold files, `take` is asked before more is kept.

    Raises:
        PayloadTooLarge: a file over `limits.image_bytes`, or the rest over `limits.form_bytes`.
        UnsupportedMediaType: a content type or encoding that is not one of the three.
        BadRequest: the body does not parse.
        FileExpected: one of `names` is missing, empty, or not a file.
        Overloaded: there are too many bodies in memory.
    """
    media_type, options = parse_options_header(request.headers.get("content-type", ""))
    query = _query(request)
    declared = media_type.decode("latin-1").lower()
    if declared == "multipart/form-data":
        upload = await _read_multipart(request, options.get(b"boundary", b""), names, limits, take)
    elif declared == "application/json":
        upload = await _read_json(request, names, limits, take)
    elif declared.startswith("image/") and len(names) == 1:
        content = await read_body(request, limits.image_bytes, limits.image_bytes, take)
        upload = Upload({names[0]: UploadedFile(content, declared)}, {})
    elif declared.startswith("image/"):
        raise UnsupportedMediaType("two images come as multipart/form-data or application/json")
    elif declared in NO_FILE:
        raise FileExpected(f"'{names[0]}' must hold a file")
    else:
        raise UnsupportedMediaType("expected multipart/form-data, application/json or an image/* body")
    for name in names:
        if name not in upload.files or not upload.files[name].content:
            raise FileExpected(f"'{name}' must hold a file")
    if query.keys() & (upload.fields.keys() | upload.files.keys()):
        raise BadRequest("a parameter is given twice")
    return Upload(upload.files, {**upload.fields, **query})


async def read_body(request: Request, most: int, shown: int, take: Take) -> bytes:
    """At most `most` bytes; `shown` is the limit that a refusal names.

    Raises:
        PayloadTooLarge: there are more.
        BadRequest: it ends early.
        Overloaded: there are too many bodies in memory.
    """
    body = bytearray()
    async for chunk in _bounded(request, most, shown, take):
        body += chunk
    return bytes(body)


async def _bounded(request: Request, most: int, shown: int, take: Take) -> AsyncIterator[bytes]:
    """The body in chunks, see `read_body`."""
    error = PayloadTooLarge(f"the limit is {shown} bytes")
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > most:
        raise error
    total = 0
    try:
        async for chunk in request.stream():
            total += len(chunk)
            if total > most:
                raise error
            take(len(chunk))
            yield chunk
    except ClientDisconnect as gone:
        raise BadRequest("the body ends early") from gone


def _query(request: Request) -> dict[str, Any]:
    pairs = request.query_params.multi_items()
    if len({name for name, _ in pairs}) != len(pairs):
        raise BadRequest("a parameter is given twice")
    return {name: _value(text) for name, text in pairs}


def _value(text: str) -> Any:
    """BentoML's client sends parameters as JSON, forms send them as plain text."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


async def _read_json(request: Request, names: tuple[str, ...], limits: LimitSettings, take: Take) -> Upload:
    body = await read_body(request, limits.request_bytes(len(names)), limits.image_bytes, take)
    if sum(map(body.count, b",[{")) > MAX_JSON:
        raise BadRequest("the body holds more than a file and its parameters")
    try:
        values = json.loads(body, object_pairs_hook=_unique, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise BadRequest("the body is not a JSON object") from error
    if not isinstance(values, dict):
        raise BadRequest("the body is not a JSON object")
    files = {name: UploadedFile(_decode(name, values[name], limits), "") for name in names if name in values}
    return Upload(files, {name: value for name, value in values.items() if name not in names})


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) != len(pairs):
        raise ValueError("duplicate key")
    return values


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _decode(name: str, value: Any, limits: LimitSettings) -> bytes:
    error = FileExpected(f"'{name}' must hold a file in plain base64 (no data URI, no white space)")
    if not isinstance(value, str):
        raise error
    try:
        content = binascii.a2b_base64(value, strict_mode=True)
    except (binascii.Error, ValueError) as cause:
        raise error from cause
    if len(value) != -(-len(content) // 3) * 4:  # the strict mode lets superfluous padding pass
        raise error
    if len(content) > limits.image_bytes:
        raise PayloadTooLarge(f"the limit is {limits.image_bytes} bytes")
    return content


async def _read_multipart(
    request: Request, boundary: bytes, names: tuple[str, ...], limits: LimitSettings, take: Take
) -> Upload:
    if not 0 < len(boundary) <= MAX_BOUNDARY:
        raise BadRequest("the multipart boundary is missing or too long")
    form = _Form(names, limits)
    parser = MultipartParser(boundary, form.callbacks())
    try:
        most = limits.image_bytes * len(names) + limits.form_bytes
        async for chunk in _bounded(request, most, limits.image_bytes, take):
            parser.write(chunk)
        parser.finalize()
    except MultipartParseError as error:
        raise BadRequest("the multipart body does not parse") from error
    if not form.complete:
        raise BadRequest("the multipart body ends early")
    return Upload(form.files, form.fields)


@dataclass(slots=True)
class _Form:
    """Collects the parts that python-multipart's callbacks deliver; its parser bounds headers itself."""

    names: tuple[str, ...]
    limits: LimitSettings
    files: dict[str, UploadedFile] = field(default_factory=dict)
    fields: dict[str, Any] = field(default_factory=dict)
    complete: bool = False
    _parts: int = 0
    _text_bytes: int = 0
    _header: bytearray = field(default_factory=bytearray)
    _value: bytearray = field(default_factory=bytearray)
    _headers: dict[bytes, bytes] = field(default_factory=dict)
    _content: bytearray = field(default_factory=bytearray)
    _name: str = ""
    _is_file: bool = False

    def callbacks(self) -> Any:
        """For `MultipartParser`."""
        return {
            "on_part_begin": self._begin,
            "on_header_field": lambda data, start, end: self._header.extend(data[start:end]),
            "on_header_value": lambda data, start, end: self._value.extend(data[start:end]),
            "on_header_end": self._end_header,
            "on_headers_finished": self._start_content,
            "on_part_data": self._add_content,
            "on_part_end": self._end_part,
            "on_end": self._end,
        }

    def _begin(self) -> None:
        self._parts += 1
        if self._parts > MAX_PARTS:
            raise BadRequest(f"more than {MAX_PARTS} parts")
        self._headers, self._content = {}, bytearray()
        self._header, self._value = bytearray(), bytearray()

    def _end_header(self) -> None:
        self._headers[bytes(self._header).lower()] = bytes(self._value)
        self._header, self._value = bytearray(), bytearray()

    def _start_content(self) -> None:
        disposition, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        self._name = options.get(b"name", b"").decode("utf-8", "replace")
        if disposition != b"form-data" or not self._name:
            raise BadRequest("a part has no name")
        if self._name in self.files or self._name in self.fields:
            raise BadRequest("a part is given twice")
        self._is_file = self._name in self.names
        if b"filename" in options and not self._is_file:
            raise FileExpected(f"a file is expected as {' and '.join(map(repr, self.names))}, not under another name")
        if self._is_file and b"filename" not in options and not self._declared().startswith("image/"):
            raise FileExpected(f"'{self._name}' must hold a file")

    def _declared(self) -> str:
        return parse_options_header(self._headers.get(b"content-type", b""))[0].decode("latin-1").lower()

    def _add_content(self, data: bytes, start: int, end: int) -> None:
        if self._is_file:
            if len(self._content) + end - start > self.limits.image_bytes:
                raise PayloadTooLarge(f"the limit is {self.limits.image_bytes} bytes")
        else:
            self._text_bytes += end - start
            if self._text_bytes > self.limits.form_bytes:
                raise PayloadTooLarge(f"the limit for text fields is {self.limits.form_bytes} bytes")
        self._content += data[start:end]

    def _end_part(self) -> None:
        if self._is_file:
            self.files[self._name] = UploadedFile(bytes(self._content), self._declared())
            return
        try:
            self.fields[self._name] = _value(self._content.decode("utf-8"))
        except UnicodeDecodeError as error:
            raise BadRequest("a text field is not UTF-8") from error

    def _end(self) -> None:
        self.complete = True
