"""How much of bodies is in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

from facesocial.errors import Overloaded

Take: TypeAlias = Callable[[int], None]
"""Called before more bytes of a body are kept; raises Overloaded when there are too many."""


class Intake:
    """Of one process. Who sends slowly holds what has come, no more: many slow senders keep nobody out.

    Args:
        most: bytes, of all requests together.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self.held = 0

    @contextmanager
    def open(self) -> Iterator[Take]:
        """For one request, as long as its body is needed."""
        own = 0

        def take(count: int) -> None:
            nonlocal own
            if self.held + count > self._most:
                raise Overloaded("there are too many bodies in memory")
            self.held += count
            own += count

        try:
            yield take
        finally:
            self.held -= own
