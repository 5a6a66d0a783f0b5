"""How much of bodies is in memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, Self, TypeAlias

from facesocial.configuration import MEBIBYTE, Configuration
from facesocial.errors import Overloaded
from services.edge.caller import Caller

SHARE: Final = 4
"""One address may hold a quarter."""

Take: TypeAlias = Callable[[int], None]
"""Called before more bytes of a body are kept; raises Overloaded when there are too many."""


class Intake:
    """Of one process. Who sends slowly holds what has come, no more; and nobody alone keeps the others out.

    Args:
        most: bytes, of all requests together.
        share: bytes, of those from one address, unless `unshared` says that many are behind it.
    """

    def __init__(self, most: int, share: int, unshared: Callable[[Caller], bool] = lambda _: False) -> None:
        self._most = most
        self._share = share
        self._unshared = unshared
        self._shares: Counter[str] = Counter()
        self.held = 0

    @classmethod
    def of(cls, configuration: Configuration) -> Self:
        """As configured; the largest request that is allowed, a verification, fits into a share."""
        most, networks = configuration.admission.body_mib * MEBIBYTE, configuration.rates.trusted_networks
        share = max(most // SHARE, configuration.limits.request_bytes(2))
        return cls(most, share, lambda caller: caller.comes_from(networks))

    @contextmanager
    def open(self, caller: Caller) -> Iterator[Take]:
        """For one request, as long as its body is needed."""
        own, place = 0, None if self._unshared(caller) else caller.place

        def take(count: int) -> None:
            nonlocal own
            if place and self._shares[place] + count > self._share:
                raise Overloaded("there are too many bodies from this address in memory")
            if self.held + count > self._most:
                raise Overloaded("there are too many bodies in memory")
            self.held += count
            own += count
            if place:
                self._shares[place] += count

        try:
            yield take
        finally:
            self.held -= own
            if place:
                self._shares[place] -= own
                if not self._shares[place]:
                    del self._shares[place]
