"""A simulated card whose sessions are all known and whose driver may die; models that take less than they say."""

from __future__ import annotations

from dataclasses import dataclass, field

from facesocial.errors import DeviceLost
from tests.vram_policy.fakes import FakeModel, FakeSession
from tests.vram_policy.manual import Clock
from vram_policy.card import Memory
from vram_policy.footprint import Footprint, Profile
from vram_policy.lease import Loadable, Session
from vram_policy.simulated import Behaviour, SimulatedGpu, SimulatedSession


@dataclass
class Modest(FakeModel):
    """Takes `size` bytes and says `said`, measured or not; each of `cold` is raised once while it is warmed."""

    said: int = 0
    measured: bool = True
    cold: list[Exception] = field(default_factory=list)

    def profile(self, card: str) -> Profile:
        """Never less than the truth."""
        peak = max(self.said, self.size)
        return Profile(Footprint(self.size // 2, peak, peak), self.costs, self.measured)

    def warm(self, session: Session) -> None:
        """Count, maybe fail."""
        super().warm(session)
        if self.cold:
            raise self.cold.pop(0)


class ObservedGpu(SimulatedGpu):
    """Of models that are `Modest`; `dead`: the driver does not answer any more."""

    def __init__(self, total: int, behaviour: Behaviour, clock: Clock) -> None:
        super().__init__(total, behaviour, truth=_size, clock=clock, sleep=clock.sleep)
        self.sessions: list[tuple[str, SimulatedSession]] = []
        self.dead = False
        self.lost_bytes = 0
        """What closed sessions kept for good."""

    @property
    def used(self) -> int:
        """By this process, whether or not the driver answers."""
        return super().memory().own

    @property
    def context(self) -> int:
        """What the process has taken before any model."""
        return self._context

    @property
    def open_sessions(self) -> list[tuple[str, SimulatedSession]]:
        """Tag and session of those that are not closed."""
        return [(tag, session) for tag, session in self.sessions if not network(session).closed]

    def behave(self, behaviour: Behaviour) -> None:
        """From now on."""
        self._behaviour = behaviour

    def poison(self) -> None:
        """Every load and run fails from now on."""
        self._lost = True

    def memory(self) -> Memory:
        """The driver's answer."""
        if self.dead:
            raise DeviceLost("the driver does not answer")
        return super().memory()

    def open(self, model: Loadable) -> Session:
        """Remember it."""
        session = super().open(model)
        assert isinstance(session, SimulatedSession)
        self.sessions.append((model.tag, session))
        return session

    def give_back(self, size: int) -> None:
        """Remember what leaks."""
        self.lost_bytes += int(size * self._behaviour.leak)
        super().give_back(size)


def network(session: Session) -> FakeSession:
    """What computes: a card's session is a CPU session."""
    inner = session.inner if isinstance(session, SimulatedSession) else session
    assert isinstance(inner, FakeSession)
    return inner


def _size(model: Loadable) -> int:
    assert isinstance(model, FakeModel)
    return model.size
