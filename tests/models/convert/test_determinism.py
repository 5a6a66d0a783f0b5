"""The same sources give the same bytes: in the child process, and in this one."""

from __future__ import annotations

import hashlib
import pkgutil
from collections.abc import Callable
from pathlib import Path

import pytest

from models.convert import probe
from models.convert.registry import CONVERTERS

pytestmark = pytest.mark.integration

CASES = {
    "faceapi_age_gender": ("age_gender_manifest", "age_gender_shard"),
    "mesoinception": ("mesoinception_df",),
    "mesonet4": ("meso4_df",),
    "minifasnet_fused": ("minifasnet_v2", "minifasnet_v1se"),
    "minifasnet_v1se": ("minifasnet_v1se",),
    "minifasnet_v2": ("minifasnet_v2",),
    "mobilefacenet": ("mobilefacenet",),
}


def test_every_converter_is_here() -> None:
    """A new converter needs a case."""
    assert set(CASES) == set(CONVERTERS)


@pytest.mark.parametrize("name", CASES)
def test_the_child_gives_what_this_process_gives(
    name: str, source: Callable[[str], Path], converted: Callable[..., Path]
) -> None:
    """Byte for byte, and the probe that the child passed passes here."""
    files = [source(short) for short in CASES[name]]
    model = pkgutil.resolve_name(CONVERTERS[name])(files).model()
    target = converted(name, *CASES[name])
    assert model.SerializeToString(deterministic=True) == target.read_bytes()
    probe.check(name, [hashlib.sha256(file.read_bytes()).hexdigest() for file in files], target)
