"""Which models serve, as far as a question to the cache has to know."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Final

from facesocial.errors import ModelError
from models.library import Library

FRESH_S: Final = 0.5
"""As often as readiness looks at the aliases: it takes as long until another model answers."""


class Tags:
    """Alias → tag of each model that the aliases name, read at most every `FRESH_S`."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._known: Mapping[str, str] | None = None
        self._until = 0.0

    async def now(self) -> Mapping[str, str] | None:
        """None: that cannot be told; readiness says why."""
        if time.monotonic() >= self._until:
            self._known = await asyncio.to_thread(self._read)
            self._until = time.monotonic() + FRESH_S
        return self._known

    def _read(self) -> Mapping[str, str] | None:
        try:
            return {capability.alias: model.tag for capability, model in self._library.serving().items()}
        except ModelError:
            return None
