"""Several cards in one process: each model has its place on one of them, and keeps it."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Final

from facesocial.errors import DeviceError
from vram_policy.arbiter import GpuArbiter
from vram_policy.lease import Lease, Loadable


class CardsArbiter:
    """An `Arbiter` over one arbiter a card, in the order of the cards."""

    def __init__(self, arbiters: Sequence[GpuArbiter]) -> None:
        self.arbiters: Final = tuple(arbiters)
        self._places: dict[str, tuple[GpuArbiter, int]] = {}
        self._lock = threading.Lock()

    def lease(self, model: Loadable) -> Lease:
        """See `Arbiter.lease`."""
        return self.place(model).lease(model)

    def failover(self, lease: Lease, error: DeviceError) -> Lease:
        """See `Arbiter.failover`."""
        owner = next((one for one in self.arbiters if one.card.device == lease.device), self.arbiters[0])
        return owner.failover(lease, error)

    def retire(self, tag: str) -> None:
        """See `Arbiter.retire`."""
        with self._lock:
            place = self._places.pop(tag, None)
        if place:
            place[0].retire(tag)

    def place(self, model: Loadable) -> GpuArbiter:
        """Its card. A new model, or one whose card is lost, gets the one with most of its budget left unpromised."""
        with self._lock:
            if (known := self._places.get(model.tag)) and not known[0].loss:
                return known[0]
            able = [one for one in self.arbiters if not one.loss] or self.arbiters
            owner = max(able, key=self._unpromised)
            self._places[model.tag] = owner, model.profile(owner.card.name).footprint.peak
            return owner

    def find(self, tag: str) -> GpuArbiter | None:
        """Where the model of this tag has its place."""
        place = self._places.get(tag)
        return place[0] if place else None

    def _unpromised(self, arbiter: GpuArbiter) -> int:
        return arbiter.budget - sum(size for owner, size in self._places.values() if owner is arbiter)
