"""What may stand in a log line. Everything else is replaced by a word that says what stood there: `<bytes 1234>`.

Nothing is searched for; what is known to be harmless passes: numbers, a few at a time, and text of short words,
identifiers, routes and dates. Of exceptions that are not ours only the type and the places in the code pass.
Cleaning what is clean changes nothing.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from numbers import Integral, Real
from traceback import walk_tb
from typing import Any, Final

import numpy as np
from structlog.typing import EventDict

from facesocial.errors import FaceSocialError

LONGEST_TEXT: Final = 400
"""Characters; a longer one is content."""

LONGEST_WORD: Final = 64
SHORT: Final = 15
"""Most characters of a word without a break that are no secret: a key of 128 bits has 22 in base64."""

MOST_NUMBERS: Final = 12
"""In the lists of one line, and in one text: two boxes and a few counts, never an embedding."""

MOST_ITEMS: Final = 64
DEEPEST: Final = 6
FRAMES: Final = 12
CAUSES: Final = 4

SECRET: Final = re.compile(
    r"token|authori[sz]ation|passw|secret|cookie|credential|api[_-]?key|jwt|bearer|file_?name|image|picture|photo|pixel"
    r"|thumbnail|embedding|vector|template|landmark|query|body|content|payload|header|upload",
    re.IGNORECASE,
)
"""Keys whose values are withheld whatever they are."""

_TOLD: Final = re.compile(
    r"\b(bearer|basic|digest|(?:[\w-]*(?:token|authori[sz]ation|password|secret|cookie|api[_-]?key))[\"']?\s*[:=])\s*"
    r"(?:(?:bearer|basic|digest)\s+)?(?!<)[^\s]+",
    re.IGNORECASE,
)
"""A secret and the word that announces it."""

_CONTENT: Final = re.compile(
    r"\.(?:jpe?g|jfif|png|apng|webp|gif|bmp|tiff?|hei[cf]s?|avif|svg|ico|psd|raw|dng|cr[23]|nef|arw|dcm|jxl|jp2|exr|fits?"
    r"|mp[34g]|mpe?g|m4[av]|mov|mkv|webm|avi|wmv|flv|3gp|ts|m3u8|wav|ogg|opus|flac|aac|pdf|docx?|xlsx?|pptx?|od[tsp]|txt"
    r"|csv|html?|zip|rar|7z|t?gz|tar|bz2|xz|np[yz]|bin|pkl|pickle|exe|php|sdp|eps)\b|\bb[\"'].",
    re.IGNORECASE | re.DOTALL,
)
"""The name of a file that somebody could have sent, or Python's notation of bytes."""

_WORD: Final = re.compile(r"<\w{1,40}(?: \d+(?:x\d+)*)?>|[^\s,;()\[\]{}<>\"'`|!?]+")
_PLACEHOLDER: Final = re.compile(r"<(\w+)(?: [\dx]{1,15})?>")
_ROUTE: Final = re.compile(r"/(?:(?:v1|livez|healthz|readyz|metrics|docs\.json|schema\.json)(?:/[\w.:-]*)*)?")
_TEMPLATE: Final = re.compile(r"(?:/(?:[a-z0-9_.-]{1,32}|\{\w{1,32}\}))+")
"""What a route is called; only `services.edge.routes` fills that key, with our own names."""

_ORIGIN: Final = re.compile(r"(?:https?|rediss?)://(?=[\w.:-]+$)")
"""What a URL without a path begins with."""

_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d[T_]\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:Z|[+-]\d\d:?\d\d)?")
_NUMBER: Final = re.compile(r"[+-]?\d{1,15}(?:\.\d{1,6})?(?:e[+-]?\d{1,3})?[%A-Za-z]{0,4}")
_TAG: Final = re.compile(r"([a-z0-9_]{2,60}):[0-9a-f]{12}")
"""Of a model: its name and what its file's digest begins with."""

_BREAK: Final = re.compile(r"[._:@-]+")
_PART: Final = re.compile(r"\d{0,4}(?:[a-z]*|[A-Z]*)\d{0,10}")
_NAMED: Final = re.compile(r"[A-Z]{0,5}[a-z]{0,15}(?:[A-Z][a-z]{2,14}){0,5}\d{0,4}")
"""In camel case. Of random base64 of 128 bits one in a hundred thousand looks like this, longer ones less."""

_BRIEF: Final = re.compile(rf"[A-Za-z0-9._:@+-]{{1,{SHORT}}}")

_REQUEST: Final = re.compile(r"[A-Za-z0-9_-]{8,36}")
"""An id that our edge made or let pass, as long as a UUID is; tokens are longer."""


def withhold(_: Any, __: str, line: EventDict) -> EventDict:
    """The structlog processor; it stands right before the renderer."""
    crowded = sum(_count(value) for value in line.values()) > MOST_NUMBERS
    return {harmless_text(str(key)): _clean(value, str(key), crowded, 0) for key, value in line.items()}


def harmless(value: Any) -> Any:
    """What may be logged of a value: None, bool, int, float, str, and dicts and lists of them."""
    return _clean(value, "", _count(value) > MOST_NUMBERS, 0)


def harmless_text(text: str) -> str:
    """What may be logged of a text: its harmless words, each other one as `<word 34>`."""
    text = str.__str__(text)
    if len(text) > LONGEST_TEXT or _CONTENT.search(text):
        return f"<text {len(text)}>"
    text = _TOLD.sub(lambda found: f"{found[1]} <secret>", text)
    words = _WORD.findall(text)
    if sum(any(map(str.isdigit, word)) for word in words if not word.startswith("<")) > MOST_NUMBERS:
        return f"<text {len(text)}>"
    return _WORD.sub(lambda found: found[0] if _is_harmless(found[0]) else f"<word {len(found[0])}>", text)


def outline(error: BaseException) -> list[str]:
    """An exception and its causes: types, innermost places (`module:line function`), and the message if it is ours."""
    lines: list[str] = []
    cause: BaseException | None = error
    for _ in range(CAUSES):
        if cause is None:
            break
        lines += [f"caused by {_headline(cause)}" if lines else _headline(cause), *_places(cause)]
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)
    return lines


def describe(value: Any) -> str:
    """The word that stands for a value: its type and size."""
    if isinstance(value, np.ndarray):
        return f"<ndarray {'x'.join(map(str, value.shape))}>" if value.shape else "<ndarray>"
    name = type(value).__name__
    name = name if _is_harmless(name) and re.fullmatch(r"\w+", name) else "object"
    if isinstance(value, memoryview):
        return f"<{name} {value.nbytes}>"
    sized = isinstance(value, (str, bytes, bytearray, list, tuple, dict, set, frozenset))
    return f"<{name} {len(value)}>" if sized else f"<{name}>"


def _clean(value: Any, key: str, crowded: bool, depth: int) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _clean_text(str.__str__(value), key)
    if SECRET.search(key) or depth > DEEPEST:
        return describe(value)
    if isinstance(value, Real):
        return _clean_number(value)
    if isinstance(value, BaseException):
        return _headline(value)
    return _clean_items(value, crowded, depth)


def _clean_text(text: str, key: str) -> str:
    if (key == "request_id" and _REQUEST.fullmatch(text)) or (key == "route" and _TEMPLATE.fullmatch(text)):
        return text
    if SECRET.search(key):
        return text if _PLACEHOLDER.fullmatch(text) and _is_harmless(text) else f"<str {len(text)}>"
    return harmless_text(text)


def _clean_number(value: Real) -> Any:
    if not isinstance(value, Integral):
        number = float(value)
        return number if np.isfinite(number) else str(number)
    whole = int(value)
    return whole if abs(whole) < 1 << 63 else f"<int {whole.bit_length()}>"


def _clean_items(value: Any, crowded: bool, depth: int) -> Any:
    if isinstance(value, Mapping):
        pairs = list(value.items())
        if len(pairs) > MOST_ITEMS or (crowded and _count(value)):
            return describe(value)
        return {harmless_text(str(key)): _clean(item, str(key), crowded, depth + 1) for key, item in pairs}
    if isinstance(value, (list, tuple, AbstractSet)):
        if len(value) > MOST_ITEMS or (crowded and _count(value)):
            return describe(value)
        return [_clean(item, "", crowded, depth + 1) for item in value]
    return describe(value)


def _count(value: Any, depth: int = 0) -> int:
    """Numbers in the lists and dicts of a value; a number by itself is none."""
    if depth > DEEPEST or not isinstance(value, (Mapping, list, tuple, AbstractSet)):
        return 0
    items = value.values() if isinstance(value, Mapping) else value
    return sum(1 if isinstance(item, Real) else _count(item, depth + 1) for item in items)


def _is_harmless(word: str) -> bool:
    if placeholder := _PLACEHOLDER.fullmatch(word):
        return _is_harmless(placeholder[1])
    word = word.strip(".:…–—·×=&#*/" if not word.startswith("/") else ".:")
    if len(word) > LONGEST_WORD or not word.isascii():
        return False
    if tag := _TAG.fullmatch(word):
        word = tag[1]
    if _ROUTE.fullmatch(word):
        word = word.replace("/", ".")
    word = _ORIGIN.sub("", word)
    if not word or any(shape.fullmatch(word) for shape in (_BRIEF, _DATE, _NUMBER)):
        return True
    return all((len(part) <= SHORT and _PART.fullmatch(part)) or _NAMED.fullmatch(part) for part in _BREAK.split(word))


def _headline(error: BaseException) -> str:
    kind = describe(error)[1:-1]
    if isinstance(error, FaceSocialError):
        return f"{kind}: {harmless_text(str(error))}"
    if isinstance(error, OSError) and isinstance(error.errno, int):
        return f"{kind}: {harmless_text(os.strerror(error.errno))}"
    return kind


def _places(error: BaseException) -> Iterator[str]:
    for frame, line in list(walk_tb(error.__traceback__))[-FRAMES:]:
        yield harmless_text(f"{frame.f_globals.get('__name__')}:{line} {frame.f_code.co_name}")
