"""The cards of one process: each model has its place on one of them, and keeps it. Without a card, the CPU."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Final

from facesocial.errors import DeviceError
from vram_policy.arbiter import GpuArbiter
from vram_policy.lease import CpuArbiter, Lease, Loadable


class CardsArbiter:
    """An `Arbiter` over one arbiter a card; `cpu` is the one they all fall back to."""

    def __init__(self, cpu: CpuArbiter, arbiters: Sequence[GpuArbiter] = ()) -> None:
        self.arbiters: Final = tuple(arbiters)
        self._cpu = cpu
        self._places: dict[str, tuple[GpuArbiter, int]] = {}
        self._lock = threading.Lock()

    def lease(self, model: Loadable, rows: int = 1) -> Lease:
        """See `Arbiter.lease`."""
        return (self._place(model) or self._cpu).lease(model, rows)

    def failover(self, lease: Lease, error: DeviceError) -> Lease:
        """See `Arbiter.failover`."""
        owner = next((one for one in self.arbiters if one.card.device == lease.device), self._cpu)
        return owner.failover(lease, error)

    def retire(self, tag: str) -> None:
        """See `Arbiter.retire`."""
        with self._lock:
            owner, _ = self._places.pop(tag, (self._cpu, 0))
        owner.retire(tag)

    def find(self, tag: str) -> GpuArbiter | None:
        """Whose card the model of this tag has its place on; None: it was never asked for, or there is no card."""
        place = self._places.get(tag)
        return place[0] if place else None

    def close(self) -> None:
        """Let running loads end and start no more."""
        for one in self.arbiters:
            one.close()

    def _place(self, model: Loadable) -> GpuArbiter | None:
        """A new model, or one whose card is lost, gets, of those it fits, the card with most of its budget left."""
        if not self.arbiters:
            return None
        if (known := self._places.get(model.tag)) and not known[0].loss:
            return known[0]
        sizes = {one: model.profile(one.card.name).footprint.peak for one in self.arbiters}  # may look on disk
        with self._lock:
            if (known := self._places.get(model.tag)) and not known[0].loss:
                return known[0]
            able = [one for one in self.arbiters if not one.loss] or self.arbiters
            fitting = [one for one in able if one.budget >= sizes[one]] or able
            owner = max(fitting, key=self._unpromised)
            self._places[model.tag] = owner, sizes[owner]
            return owner

    def _unpromised(self, arbiter: GpuArbiter) -> int:
        return arbiter.budget - sum(size for owner, size in self._places.values() if owner is arbiter)
