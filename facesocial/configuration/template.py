"""A configuration file that says everything, made from the tree itself so that it cannot grow stale."""

from __future__ import annotations

import json
from collections.abc import Iterator

from pydantic import BaseModel
from pydantic_core import to_jsonable_python

from facesocial.configuration.file import range_of
from facesocial.configuration.tree import Configuration

HEADER = """\
# FaceSocial: what an operator can set. Each line shows the default; remove the '#' in front to change it.
# The environment wins: FACESOCIAL__SERVER__PORT=8080. Check with: facesocial config check
"""


def template() -> str:
    """The text of a new `configuration.yaml`: every key, commented out, with its default, range and meaning."""
    return "\n".join([HEADER, *_lines(Configuration, "")]) + "\n"


def _lines(section: type[BaseModel], indent: str) -> Iterator[str]:
    for name, field in section.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield f"\n# {field.annotation.__doc__}\n{indent}{name}:"
            yield from _lines(field.annotation, indent + "  ")
            continue
        by_machine = field.default_factory is not None
        default = "" if by_machine else f" {json.dumps(to_jsonable_python(field.default))}"
        notes = [note for note in (field.description, range_of(field), by_machine and "default: the cores") if note]
        yield f"{indent}# {name}:{default}" + (f"   # {'; '.join(notes)}" if notes else "")
