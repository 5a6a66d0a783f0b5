"""JSON → dataclass, by the types of its fields: what is missing or of another type is refused, what is new is left."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from types import UnionType
from typing import Any, Final, Literal, TypeAlias, TypeVar, cast, get_args, get_origin, get_type_hints

T = TypeVar("T")

Reader: TypeAlias = Callable[[object, str], Any]
"""JSON value and where it stands in the answer → value of our type."""


class Mismatch(ValueError):
    """The JSON is not of the type; the message says where and never what."""


def read(kind: type[T], value: object) -> T:
    """`value`, which `json.loads` gave, as `kind`.

    Raises:
        Mismatch: it is none.
    """
    found: T = _reader(cast(Hashable, kind))(value, "answer")
    return found


@cache
def _reader(kind: Hashable) -> Reader:
    if is_dataclass(kind):
        return _record(kind)
    origin = get_origin(kind)
    return _BUILDERS[origin](*get_args(kind)) if origin else _SCALARS[kind]


def _record(kind: Any) -> Reader:
    hints = get_type_hints(kind)
    readers = {field.name: _reader(hints[field.name]) for field in fields(kind)}
    required = [field.name for field in fields(kind) if field.default is field.default_factory is MISSING]

    def read_record(value: object, where: str) -> Any:
        given = _checked(dict, value, where)
        for name in required:
            if name not in given:
                raise Mismatch(f"{where}.{name} is missing")
        return kind(**{name: take(given[name], f"{where}.{name}") for name, take in readers.items() if name in given})

    return read_record


def _sequence(*kinds: Any) -> Reader:
    """`tuple[X, ...]`, or one of fixed length."""
    readers = [_reader(kind) for kind in kinds if kind is not Ellipsis]
    endless = Ellipsis in kinds

    def read_sequence(value: object, where: str) -> Any:
        items = _checked(list, value, where)
        takers = readers * len(items) if endless else readers
        if len(items) != len(takers):
            raise Mismatch(f"{where}: {len(takers)} items expected")
        return tuple(
            take(item, f"{where}[{place}]") for place, (take, item) in enumerate(zip(takers, items, strict=True))
        )

    return read_sequence


def _mapping(_: type[str], kind: Any) -> Reader:
    take = _reader(kind)

    def read_mapping(value: object, where: str) -> Any:
        return {name: take(item, f"{where}[…]") for name, item in _checked(dict, value, where).items()}

    return read_mapping


def _choice(*allowed: str) -> Reader:
    def read_choice(value: object, where: str) -> Any:
        if value not in allowed:
            raise Mismatch(f"{where}: one of {', '.join(allowed)} expected")
        return value

    return read_choice


def _optional(kind: Any, _: None) -> Reader:
    take = _reader(kind)
    return lambda value, where: None if value is None else take(value, where)


def _number(value: object, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise Mismatch(f"{where}: a number expected")
    return float(value)


def _whole(value: object, where: str) -> int:
    if isinstance(value, bool):
        raise Mismatch(f"{where}: an int expected")
    return _checked(int, value, where)


def _checked(kind: type[T], value: object, where: str) -> T:
    if not isinstance(value, kind):
        raise Mismatch(f"{where}: a {kind.__name__} expected")
    return value


_BUILDERS: Final[dict[Any, Callable[..., Reader]]] = {
    tuple: _sequence,
    dict: _mapping,
    Literal: _choice,
    UnionType: _optional,
}

_SCALARS: Final[dict[Any, Reader]] = {
    float: _number,
    int: _whole,
    bool: lambda value, where: _checked(bool, value, where),
    str: lambda value, where: _checked(str, value, where),
}
