"""The narrow part of a runner: arrays in, arrays out, under a lease."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from facesocial.errors import DeviceError
from vram_policy import Arbiter, Loadable
from vram_policy.lease import Array


@dataclass(frozen=True, slots=True)
class Computed:
    """What the network gave, by output name and in its order; `device` is where it really ran."""

    outputs: Mapping[str, Array]
    device: str


class Core(Protocol):
    """Runs one model. Thread-safe."""

    def run(self, inputs: Sequence[Array]) -> Computed:
        """One array per input of the network, an item per row of each."""
        ...

    def retire(self) -> None:
        """Give the session back: nobody will run it again."""
        ...


class LeasedCore:
    """Each call is a lease and a run of its own."""

    def __init__(self, model: Loadable, arbiter: Arbiter) -> None:
        self._model = model
        self._arbiter = arbiter

    def run(self, inputs: Sequence[Array]) -> Computed:
        """See `Core.run`; what the card cannot finish, the CPU does."""
        lease = self._arbiter.lease(self._model, len(inputs[0]))
        try:
            return Computed(lease.session.run(inputs), lease.device)
        except DeviceError as error:
            spare = self._arbiter.failover(lease, error)
        finally:
            lease.end()  # not before a failover: the arbiter must know whose work failed
        with spare:
            return Computed(spare.session.run(inputs), spare.device)

    def retire(self) -> None:
        """See `Core.retire`."""
        self._arbiter.retire(self._model.tag)
