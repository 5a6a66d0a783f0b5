"""The child of `models.convert.convert`: `python -m models.convert LIMITS NAME TARGET SOURCE…`, LIMITS as JSON."""

from __future__ import annotations

import hashlib
import json
import pkgutil
import sys
from pathlib import Path

from facesocial.errors import ConversionError
from models.convert.process import REFUSED, Limits
from models.convert.registry import CONVERTERS


def main(arguments: list[str]) -> int:
    """Converts within the limits; 0, or `REFUSED` with one line on stdout that says why."""
    limits, name, target, *sources = arguments
    Limits(**json.loads(limits)).impose()
    try:
        _convert(name, tuple(map(Path, sources)), Path(target))
    except ConversionError as error:
        sys.stdout.write(str(error))
        return REFUSED
    except MemoryError:
        sys.stdout.write("needs more memory than it may use")
        return REFUSED
    return 0


def _convert(name: str, sources: tuple[Path, ...], target: Path) -> None:
    from models.convert import probe  # only now: numpy and onnx must load within the limits
    from models.convert.source import read_source

    model = pkgutil.resolve_name(CONVERTERS[name])(sources).model()
    target.write_bytes(model.SerializeToString(deterministic=True))
    probe.check(name, [hashlib.sha256(read_source(source)).hexdigest() for source in sources], target)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
