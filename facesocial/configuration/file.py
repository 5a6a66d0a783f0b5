"""Reading the configuration and saying precisely what is wrong with it.

Precedence: environment (`FACESOCIAL__SECTION__KEY`) over file over the defaults of the tree. The file is, in this
order, `$FACESOCIAL_CONFIGURATION`, `./configuration.yaml`, or the one beside the source.
"""

from __future__ import annotations

import os
from itertools import chain
from pathlib import Path
from typing import Any, TypeAlias, get_args

import yaml
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import EnvSettingsSource, SettingsError

from facesocial.configuration.tree import PREFIX, Configuration
from facesocial.errors import ConfigurationError

FILE_VARIABLE = "FACESOCIAL_CONFIGURATION"

Location: TypeAlias = tuple[int | str, ...]
Places: TypeAlias = dict[tuple[str, ...], int]


def find_file() -> Path | None:
    """The configuration file in force, or None when there is none.

    Raises:
        ConfigurationError: `$FACESOCIAL_CONFIGURATION` names a file that does not exist.
    """
    if named := os.environ.get(FILE_VARIABLE):
        if not Path(named).is_file():
            raise ConfigurationError(f"{FILE_VARIABLE} names {named}, which does not exist")
        return Path(named)
    beside_source = Path(__file__).parents[2] / "configuration.yaml"
    return next((path for path in (Path("configuration.yaml"), beside_source) if path.is_file()), None)


def load_configuration(file: Path | None = None) -> Configuration:
    """Read `file` (default: `find_file()`) and the environment.

    Raises:
        ConfigurationError: naming for each wrong value its line or variable, its key and what is allowed.
    """
    file = file or find_file()
    text = _read(file) if file else ""
    values = _parse(text, file)
    places = _places(text, file)
    _refuse_unknown_variables()
    try:
        return Configuration(**values)
    except SettingsError as error:
        raise ConfigurationError(
            f"environment variable {_not_json()}: lists and sections are given as JSON, such as "
            '["https://app.example.com"] and {"port": 3000}'
        ) from error
    except ValidationError as error:
        problems = [_explain(problem["loc"], problem["msg"], file, places) for problem in error.errors()]
        raise ConfigurationError("\n".join(problems)) from error


def _read(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{file}: cannot be read: {error}") from error


def _parse(text: str, file: Path | None) -> dict[str, Any]:
    try:
        values = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigurationError(f"{file}: line {line}: not YAML: {error.problem}") from error
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{file}: line 1: not YAML: {error}") from error
    if values is None:
        return {}
    if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
        raise ConfigurationError(f"{file}: line 1: expected sections such as 'server:', found something else")
    return {key: value for key, value in values.items() if value is not None}  # a section of comments only


def _refuse_unknown_variables() -> None:
    sections = tuple(Configuration.model_fields)
    for name in sorted(os.environ):
        section = name.removeprefix(PREFIX).split("__")[0].lower()
        if name.startswith(PREFIX) and section not in sections:
            raise ConfigurationError(
                f"environment variable {name}: no such section (allowed here: {', '.join(sections)})"
            )


def _not_json() -> str:
    """The variable that cannot be parsed: the one that cannot be when it is the only one. The error has its section."""
    source = EnvSettingsSource(Configuration)
    for name, value in dict(source.env_vars).items():
        source.env_vars = {name: value}
        try:
            source()
        except SettingsError:
            return name.upper()
    return f"{PREFIX}…"


def _explain(location: Location, message: str, file: Path | None, places: Places) -> str:
    keys = tuple(str(part) for part in location if part != "[key]")  # a table's key is itself wrong
    where = _variable(keys) or _line(keys, file, places)
    allowed = _allowed(keys) if len(keys) == len(location) else ""
    return f"{where}: {'.'.join(keys) or 'configuration'}: {message.removeprefix('Value error, ')}{allowed}"


def _variable(keys: tuple[str, ...]) -> str | None:
    """The environment variable that sets `keys`, or a section around it, if one does."""
    names = (PREFIX + "__".join(keys[:depth]).upper() for depth in range(len(keys), 0, -1))
    return next((f"environment variable {name}" for name in names if name in os.environ), None)


def _line(keys: tuple[str, ...], file: Path | None, places: Places) -> str:
    known = (keys[:depth] for depth in range(len(keys), 0, -1) if keys[:depth] in places)
    return next((f"{file}: line {places[path]}" for path in known), str(file or "configuration"))


def _allowed(keys: tuple[str, ...]) -> str:
    """What may stand at `keys`: the range of a value, or the keys of a section."""
    section: type[BaseModel] = Configuration
    for key in keys:
        field = section.model_fields.get(key)
        if field is None:
            return f" (allowed here: {', '.join(section.model_fields)})"
        kind = next(iter(get_args(field.annotation)), field.annotation)  # the first of `TlsSettings | None`
        if not (isinstance(kind, type) and issubclass(kind, BaseModel)):
            return f" (allowed: {range_of(field)})" if range_of(field) else ""
        section = kind
    return ""


def range_of(field: FieldInfo) -> str:
    """The range of a number, or of those in a table, such as `1 to 65535`; empty when it has none."""
    inner = [FieldInfo.from_annotation(kind).metadata for kind in get_args(field.annotation)]
    metadata = [*field.metadata, *chain.from_iterable(inner)]
    low = next((item.ge for item in metadata if hasattr(item, "ge")), None)
    high = next((item.le for item in metadata if hasattr(item, "le")), None)
    return f"{low} to {high}" if low is not None and high is not None else ""


def _places(text: str, file: Path | None) -> Places:
    """Key path → line number, from 1.

    Raises:
        ConfigurationError: a key stands twice; YAML would drop the first.
    """
    places: Places = {}

    def walk(node: yaml.Node | None, path: tuple[str, ...]) -> None:
        children: list[tuple[str, yaml.Node, yaml.Node]] = []
        if isinstance(node, yaml.MappingNode):
            children = [(key.value, key, value) for key, value in node.value]
        elif isinstance(node, yaml.SequenceNode):
            children = [(str(index), value, value) for index, value in enumerate(node.value)]
        for name, marked, value in children:
            if (*path, name) in places:
                raise ConfigurationError(
                    f"{file}: line {marked.start_mark.line + 1}: {'.'.join((*path, name))}: given twice"
                )
            places[(*path, name)] = marked.start_mark.line + 1
            walk(value, (*path, name))

    walk(yaml.compose(text), ())
    return places
