"""What schemathesis cannot know: bytes that are pictures, names of aliases, a time that is enough. It imports this."""

from __future__ import annotations

import base64
from typing import Any

import schemathesis
from hypothesis import strategies as st

from facesocial.capabilities import Capability
from tests.pictures import noise, plain

FILES = st.one_of(st.sampled_from([plain(), noise("PNG", 48, 32), plain("WEBP")]), st.binary(max_size=64))
ALIASES = [capability.alias for capability in Capability if capability is not Capability.MESH]
"""Of what the starter models serve: what is not installed is a 503."""

schemathesis.openapi.format("binary", FILES)
schemathesis.openapi.format("byte", FILES.map(lambda data: base64.b64encode(data).decode()))
for kind in ("jpeg", "png", "webp"):
    schemathesis.openapi.media_type(f"image/{kind}", FILES)


@schemathesis.hook
def map_path_parameters(context: Any, path_parameters: dict[str, Any] | None) -> dict[str, Any] | None:
    """Every other alias is one that there is."""
    if path_parameters and (length := len(str(path_parameters.get("alias")))) % 2:
        path_parameters["alias"] = ALIASES[length // 2 % len(ALIASES)]
    return path_parameters


@schemathesis.hook
def before_call(context: Any, case: schemathesis.Case[Any], kwargs: dict[str, Any]) -> None:
    """A deadline that is one is a minute: what is late is a 504."""
    if case.headers and str(case.headers.get("X-Timeout-Ms")).isdecimal():
        case.headers["X-Timeout-Ms"] = str(max(60_000, int(case.headers["X-Timeout-Ms"])))
