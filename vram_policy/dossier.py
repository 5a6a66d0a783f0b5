"""What an arbiter knows of each model beside its stay: its stand, its size, its counts, why it is not on the card."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from facesocial.errors import FaceSocialError
from vram_policy.backoff import Backoff
from vram_policy.counts import Counts
from vram_policy.lease import Loadable
from vram_policy.zones import Stand

FADING: Final = 0.1
"""How much the mean of rows follows the last run."""


@dataclass(slots=True)
class Dossier:
    """One model.

    Attributes:
        rows: items of a run, lately in the mean.
        taken: bytes its last load took by the card's own numbers, where they could be told apart.
        barred: an operator unloaded it; it stays away until one loads it.
        stubborn: its last load found no memory though others had left for it: nobody leaves for its next.
        waits: it will be considered again when others have left.
        note: why the last request did not bring it onto the card.
        error: how its last load failed.
    """

    model: Loadable
    stand: Stand
    counts: Counts = field(default_factory=Counts)
    rows: float = 1.0
    taken: int | None = None
    backoff: Backoff = field(default_factory=Backoff)
    barred: bool = False
    stubborn: bool = False
    waits: bool = False
    note: str | None = None
    error: Exception | None = None

    @property
    def why_not(self) -> str:
        """In words."""
        if self.barred:
            return "unloaded by an operator"
        if isinstance(self.error, FaceSocialError):
            return self.error.detail
        return type(self.error).__name__ if self.error else self.note or "not asked for"

    def count(self, rows: int) -> None:
        """A run of so many items was asked for."""
        self.rows += FADING * (rows - self.rows)

    def worth(self, card: str) -> float:
        """CPU-seconds that an answer on `card` saves: costs are of one item, a run has several."""
        return self.rows * self.model.profile(card).costs.cpu

    def size(self, card: str) -> int:
        """Bytes it is charged on `card`: never less than a measurement, of an estimate no more than the first load.

        Nor less than the weights: what a card says of one load can be spoiled by another program that left meanwhile.
        """
        profile = self.model.profile(card)
        if self.taken is None:
            return profile.footprint.peak
        return max(self.taken, profile.footprint.peak if profile.measured else profile.footprint.weights)


class Dossiers:
    """Of all models that were asked for, by tag. `stands`: model name → stand in place of the model's own."""

    def __init__(self, stands: Mapping[str, Stand]) -> None:
        self._stands = dict(stands)
        self._known: dict[str, Dossier] = {}

    def open(self, model: Loadable) -> Dossier:
        """The model's; made when it is new."""
        known = self._known.get(model.tag)
        if known is None:
            known = self._known[model.tag] = Dossier(model, self._stand(model))
        return known

    def get(self, tag: str) -> Dossier | None:
        """By tag."""
        return self._known.get(tag)

    def all(self) -> tuple[Dossier, ...]:
        """In the order in which they were first asked for."""
        return tuple(self._known.values())

    def close(self, tag: str) -> None:
        """It will not be asked for again."""
        self._known.pop(tag, None)

    def restate(self, stands: Mapping[str, Stand]) -> None:
        """Other zones and pins from now on."""
        self._stands = dict(stands)
        for dossier in self._known.values():
            dossier.stand = self._stand(dossier.model)

    def _stand(self, model: Loadable) -> Stand:
        return self._stands.get(model.tag.partition(":")[0]) or Stand(model.zone, model.pin)
