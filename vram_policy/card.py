"""The seam to a card: its memory, and sessions on it. The real ones: `device.py`; a model of one: `simulated.py`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from vram_policy.lease import Loadable, Session


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes at one moment.

    Attributes:
        own: what this process holds, its context included.
        exact: whether the driver says so; else `own` is what the card's use grew by, other programs' memory among it.
    """

    total: int
    free: int
    own: int
    exact: bool = True


class Card(Protocol):
    """One graphics card as this process sees it."""

    @property
    def device(self) -> str:
        """What answers call it: `cuda:0`, `simulated:0`."""
        ...

    @property
    def name(self) -> str:
        """What profiles are filed under: the product's name."""
        ...

    def memory(self) -> Memory:
        """Now. Cheap enough for every admission.

        Raises:
            DeviceLost: the driver does not answer any more.
        """
        ...

    def open(self, model: Loadable) -> Session:
        """A session on this card; closing it gives its memory back, sooner or later.

        Raises:
            OutOfDeviceMemory, DeviceLost, ModelIntegrityError: as `Loadable.open`.
        """
        ...
