"""Where the bytes behind a catalogue url are read from: the host itself, or the mirror that replaces every host."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx

from facesocial.errors import ConfigurationError

VARIABLE: Final = "FACESOCIAL_MODEL_MIRROR"


@dataclass(frozen=True, slots=True)
class Mirror:
    """Files at `<base>/<host>/<path>`. `base` is a directory, or a url given with http:// or https://."""

    base: Path | str

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Mirror | None:
        """The mirror that FACESOCIAL_MODEL_MIRROR names; None when it is unset or empty.

        Raises:
            ConfigurationError: it names neither a url nor an existing directory.
        """
        value = environment.get(VARIABLE, "").strip()
        if not value:
            return None
        if value.startswith(("http://", "https://")):
            return cls(_checked(value.rstrip("/")))
        directory = Path(value).expanduser()
        if not directory.is_dir():
            raise ConfigurationError(f"{VARIABLE} is neither an existing directory nor an http(s) url")
        return cls(directory)

    def locate(self, url: str) -> Path | str:
        """The file or the url that stands for the catalogue's `url` (https, without query, `.` or `..`)."""
        place = url.removeprefix("https://")
        return self.base / place if isinstance(self.base, Path) else f"{self.base}/{place}"


def _checked(url: str) -> str:
    try:
        host = httpx.URL(url).host
    except httpx.InvalidURL:
        host = ""
    if not host:
        raise ConfigurationError(f"{VARIABLE} is not a url that can be used")
    return url
