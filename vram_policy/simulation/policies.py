"""What others do when a model is wanted that is not on the card, and what we do.

None waits for a load, none evicts a critical, pinned or running model; for the rest each is as its original.
"""

# ruff: noqa: ARG002, D102 - arguments and docstrings are the protocol's

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import combinations
from operator import itemgetter
from typing import Final, Protocol, TypeAlias

from vram_policy.demand import Demand
from vram_policy.plan import Gpu, Resident, Room, Rules, Target, plan
from vram_policy.simulation.card import Card, State, settled
from vram_policy.simulation.trace import Trace


class Policy(Protocol):
    """Decides about a card. Models are indices into the trace's; times are seconds."""

    def asked(self, model: int, now: float) -> None:
        """Somebody wants an answer of this model."""

    def missed(self, model: int, now: float, card: Card) -> Sequence[int] | None:
        """It is not on the card: who leaves so that it can be loaded, or None to leave the card as it is."""

    def tired(self, now: float, card: Card) -> Sequence[int]:
        """Who leaves although nobody wants its place."""

    def served(self, model: int) -> None:
        """The card answered."""

    def loading(self, model: int) -> None:
        """A load was begun."""

    def left(self, model: int) -> None:
        """An unload was begun."""


class _Quiet:
    """A policy that keeps no books."""

    def asked(self, model: int, now: float) -> None:
        pass

    def tired(self, now: float, card: Card) -> Sequence[int]:
        return ()

    def served(self, model: int) -> None:
        pass

    def loading(self, model: int) -> None:
        pass

    def left(self, model: int) -> None:
        pass


def _enough(card: Card, model: int, victims: Iterable[int]) -> list[int] | None:
    """The first of `victims` that make room, or None if all of them do not."""
    missing = card.models[model].bytes - card.free
    leaving = []
    for victim in victims:
        if missing <= 0:
            break
        leaving.append(victim)
        missing -= card.models[victim].bytes
    return leaving if missing <= 0 else None


class Lru(_Quiet):
    """Load at the `k`-th request since it left; the longest unused leave."""

    def __init__(self, k: int = 1) -> None:
        self._k = k
        self._count: dict[int, int] = {}

    def asked(self, model: int, now: float) -> None:
        self._count[model] = self._count.get(model, 0) + 1

    def left(self, model: int) -> None:
        self._count[model] = 0

    def missed(self, model: int, now: float, card: Card) -> Sequence[int] | None:
        if self._count[model] < self._k:
            return None
        return _enough(card, model, sorted(card.evictable(now), key=card.used.__getitem__))


class _KeepAlive(_Quiet):
    """What nobody asked for during five minutes leaves."""

    keep = 300.0

    def tired(self, now: float, card: Card) -> Sequence[int]:
        return [model for model in card.evictable(now) if now - card.used[model] > self.keep]


class Ttl(_KeepAlive):
    """immich: load at once if it fits; nobody leaves for another."""

    def missed(self, model: int, now: float, card: Card) -> Sequence[int] | None:
        return _enough(card, model, ())


class IdleFirst(_KeepAlive):
    """ollama: load at once; whoever runs nothing leaves, by keep-alive, which is the same for all, then by name."""

    def missed(self, model: int, now: float, card: Card) -> Sequence[int] | None:
        return _enough(card, model, sorted(card.evictable(now), key=lambda victim: card.models[victim].tag))


class Gdsf(_Quiet):
    """Greedy dual, size and frequency, with our minimum residency: worth is L + requests · CPU time / bytes."""

    def __init__(self, residency: float = Rules().residency) -> None:
        self._residency = residency
        self._floor = 0.0
        self._base: dict[int, float] = {}
        self._count: dict[int, int] = {}

    def asked(self, model: int, now: float) -> None:
        self._count[model] = self._count.get(model, 0) + 1
        self._base[model] = self._floor

    def left(self, model: int) -> None:
        self._count[model] = 0

    def missed(self, model: int, now: float, card: Card) -> Sequence[int] | None:
        def worth(victim: int) -> float:
            one = card.models[victim]
            return self._base[victim] + self._count[victim] * one.costs.cpu / one.bytes

        known = [victim for victim in card.evictable(now, self._residency) if victim in self._base]
        victims = _enough(card, model, sorted(known, key=worth))
        if victims:
            self._floor = max(map(worth, victims))
        return victims


class TinyLfu(_Quiet):
    """Admit who is asked for more often than its LRU victims together, by counts that are halved now and then."""

    window: Final = 1000

    def __init__(self) -> None:
        self._count: dict[int, float] = {}
        self._seen = 0

    def asked(self, model: int, now: float) -> None:
        self._count[model] = self._count.get(model, 0) + 1
        self._seen += 1
        if self._seen % self.window == 0:
            self._count = {model: count / 2 for model, count in self._count.items()}

    def missed(self, model: int, now: float, card: Card) -> Sequence[int] | None:
        victims = _enough(card, model, sorted(card.evictable(now), key=card.used.__getitem__))
        if victims and self._count[model] <= sum(self._count.get(victim, 0) for victim in victims):
            return None
        return victims


class BestStatic(_Quiet):
    """The set that never changes and would have saved the most, known in hindsight; loaded on first request."""

    searched: Final = 14

    def __init__(self, trace: Trace, budget: int) -> None:
        critical = settled(trace.models, budget)
        room = budget - sum(trace.models[index].bytes for index in critical)
        every = {
            index: len(trace.of(index)) * model.costs.cpu - model.costs.load_cpu
            for index, model in enumerate(trace.models)
            if index not in critical and model.bytes <= room
        }
        worth = dict(sorted(every.items(), key=itemgetter(1))[-self.searched :])
        fitting = (
            chosen
            for count in range(len(worth) + 1)
            for chosen in combinations(worth, count)
            if sum(trace.models[index].bytes for index in chosen) <= room
        )
        self.chosen = frozenset(max(fitting, key=lambda chosen: sum(worth[index] for index in chosen)))

    def missed(self, model: int, now: float, card: Card) -> Sequence[int] | None:
        return () if model in self.chosen else None


class Benefit:
    """Ours: the service's own `plan` and `Demand`."""

    def __init__(self, trace: Trace, budget: int, rules: Rules | None = None) -> None:
        self._models = trace.models
        self._indices = {model.tag: index for index, model in enumerate(trace.models)}
        self._budget = budget
        self._rules = rules or Rules()
        self._demand = Demand()

    def asked(self, model: int, now: float) -> None:
        self._demand.observe(self._models[model].tag, now)

    def tired(self, now: float, card: Card) -> Sequence[int]:
        return ()

    def served(self, model: int) -> None:
        self._demand.saved(self._models[model].tag, self._models[model].costs.cpu)

    def loading(self, model: int) -> None:
        self._demand.loaded(self._models[model].tag, self._models[model].costs.load_cpu)

    def left(self, model: int) -> None:
        self._demand.left(self._models[model].tag)

    def missed(self, model: int, now: float, card: Card) -> Sequence[int] | None:
        one = self._models[model]
        target = Target(
            tag=one.tag,
            zone=one.zone,
            bytes=one.bytes,
            value=self._demand.forecast(one.tag, now, apart=1) * one.costs.cpu,
            price=self._demand.price(one.tag, one.costs.load_cpu),
            delay=one.costs.load + one.costs.unload,
            asked=self._demand.asked(one.tag),
        )
        residents = [self._resident(index, now, card) for index, state in enumerate(card.state) if state]
        decision = plan(target, residents, Room(self._budget, card.free), self._rules)
        return [self._indices[tag] for tag in decision.evict] if isinstance(decision, Gpu) else None

    def _resident(self, index: int, now: float, card: Card) -> Resident:
        one = self._models[index]
        return Resident(
            tag=one.tag,
            zone=one.zone,
            bytes=one.bytes,
            value=self._demand.forecast(one.tag, now) * one.costs.cpu,
            settled=card.state[index] is State.READY and card.held[index] <= now,
            pinned=one.pin,
            idle=now - card.used[index],
            age=now - card.ready[index],
        )


Contestant: TypeAlias = Callable[[Trace, int], Policy]

POLICIES: Final[Mapping[str, Contestant]] = {
    "LRU": lambda _trace, _budget: Lru(),
    "LRU after 3": lambda _trace, _budget: Lru(3),
    "idle first (ollama)": lambda _trace, _budget: IdleFirst(),
    "TTL 300 s (immich)": lambda _trace, _budget: Ttl(),
    "GDSF, 30 s residency": lambda _trace, _budget: Gdsf(),
    "TinyLFU": lambda _trace, _budget: TinyLfu(),
    "best static set": BestStatic,
    "ours": Benefit,
}
OURS: Final = "ours"
