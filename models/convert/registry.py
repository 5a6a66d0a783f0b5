"""Which converters there are. Their names appear in the catalogue, their version in the metadata of what they made."""

from __future__ import annotations

from typing import Final

VERSION: Final = 1  # raise it when any output changes: embeddings of different versions are never compared

CONVERTERS: Final[dict[str, str]] = {
    "faceapi_age_gender": "models.convert.faceapi_age_gender:build",
    "mesoinception": "models.convert.mesonet:build_inception",
    "mesonet4": "models.convert.mesonet:build_meso4",
    "minifasnet_fused": "models.convert.minifasnet:build_fused",
    "minifasnet_v1se": "models.convert.minifasnet:build_v1se",
    "minifasnet_v2": "models.convert.minifasnet:build_v2",
    "mobilefacenet": "models.convert.mobilefacenet:build",
}
"""Converter → `module:function`; the function takes the source files and returns a `models.convert.graph.Graph`."""
