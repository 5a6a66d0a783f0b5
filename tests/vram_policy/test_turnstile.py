"""R16: who runs next on a card, in virtual time and with real threads."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vram_policy.turnstile import Queue, Turnstile, Waiter
from vram_policy.zones import RANK, Zone

pytestmark = pytest.mark.unit

AGING = 1.0
zones: st.SearchStrategy[Zone] = st.sampled_from(["critical", "high", "flexible"])


def eventually(condition: Callable[[], bool]) -> None:
    """Wait for another thread to get there."""
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.001)


def waiting(turnstile: Turnstile) -> int:
    """How many stand in line."""
    return sum(len(line) for line in turnstile._queue._lines.values())


@given(st.lists(st.tuples(zones, st.floats(0, 3)), max_size=30), st.floats(0, 4))
def test_the_order_of_the_line(arrivals: Sequence[tuple[Zone, float]], now: float) -> None:
    """Everybody is called once: the aged by age, then the others by zone and age."""
    queue = Queue(AGING)
    everybody = [Waiter(zone, since) for zone, since in sorted(arrivals, key=lambda arrival: arrival[1])]
    for waiter in everybody:
        queue.join(waiter)
    now = max([now, *(waiter.since for waiter in everybody)])
    called = [one for _ in everybody if (one := queue.call(now))]
    assert queue.call(now) is None
    assert Counter(map(id, called)) == Counter(map(id, everybody))
    aged = [waiter for waiter in everybody if now - waiter.since >= AGING]
    assert {waiter.since for waiter in called[: len(aged)]} == {waiter.since for waiter in aged}
    assert [waiter.since for waiter in called[: len(aged)]] == sorted(waiter.since for waiter in aged)
    rest = [(-RANK[waiter.zone], waiter.since) for waiter in called[len(aged) :]]
    assert rest == sorted(rest)


def test_who_left_is_not_called() -> None:
    queue, gone, stays = Queue(AGING), Waiter("high", 0.0), Waiter("high", 0.1)
    queue.join(gone)
    queue.join(stays)
    queue.leave(gone)
    assert queue.call(5.0) is stays
    assert queue.call(5.0) is None


@given(st.integers(1, 3), st.lists(st.tuples(zones, st.floats(0, 5), st.floats(0.01, 0.5)), max_size=60))
def test_a_slot_is_never_idle_while_somebody_waits(slots: int, work: Sequence[tuple[Zone, float, float]]) -> None:
    """In virtual time: at most `slots` inside; the longest wait is the aging bound and the runs of those before it."""
    queue, inside, now, served = Queue(AGING), list[float](), 0.0, 0
    arrivals = sorted(work, key=lambda item: item[1])
    waits: dict[Waiter, tuple[float, int]] = {}
    line = 0
    while arrivals or inside:
        ends = min(inside, default=float("inf"))
        if arrivals and arrivals[0][1] <= ends:
            zone, now, run = arrivals.pop(0)
            if len(inside) < slots:
                assert not line
                inside.append(now + run)
                served += 1
                continue
            waiter = Waiter(zone, now)
            queue.join(waiter)
            waits[waiter] = run, line
            line += 1
            continue
        now = ends
        inside.remove(ends)
        if following := queue.call(now):
            run, ahead = waits[following]
            assert now - following.since <= AGING + (ahead + 1) * 0.5 + 1e-9
            inside.append(now + run)
            line -= 1
            served += 1
    assert served == len(work)
    assert queue.call(now) is None


def flood(turnstile: Turnstile, run: float, count: int = 200, clients: int = 8) -> tuple[list[Zone], dict[Zone, float]]:
    """R16's load: two zones with `count` requests each by `clients` threads each; who ended when, the longest waits."""
    order: list[Zone] = []
    longest: dict[Zone, float] = {"critical": 0.0, "flexible": 0.0}
    start = threading.Barrier(2 * clients)

    def client(zone: Zone) -> None:
        start.wait(10)
        for _ in range(count // clients):
            asked = time.monotonic()
            with turnstile.turn(zone):
                longest[zone] = max(longest[zone], time.monotonic() - asked)
                time.sleep(run)
            order.append(zone)

    pair: tuple[Zone, Zone] = ("critical", "flexible")
    with ThreadPoolExecutor(2 * clients) as pool:
        for future in [pool.submit(client, zone) for zone in pair for _ in range(clients)]:
            future.result(60)
    return order, longest


def last(order: Sequence[Zone], zone: Zone) -> int:
    """Place of the zone's last answer."""
    return max(place for place, one in enumerate(order) if one == zone)


def test_critical_finishes_first_when_the_slots_do_not_fit_both() -> None:
    """R16, limited: all 200 critical ones are answered while the flexible ones wait."""
    order, _ = flood(Turnstile(2, aging=60), run=0.001)
    assert Counter(order) == {"critical": 200, "flexible": 200}
    assert last(order, "critical") < last(order, "flexible")
    assert order[: last(order, "critical")].count("flexible") <= 40  # those that came between two of one client


def test_both_run_side_by_side_when_the_slots_fit_both() -> None:
    """R16, plenty: nobody waits."""
    order, longest = flood(Turnstile(16), run=0.002)
    assert Counter(order[:200]).most_common()[-1][1] > 40
    assert max(longest.values()) < 0.5


def test_the_low_zone_waits_no_longer_than_the_bound() -> None:
    """R16: one flexible caller against a crowd of critical ones that never lets a slot be idle."""
    aging, run, over = 0.1, 0.005, threading.Event()
    turnstile = Turnstile(1, aging=aging)
    waits: list[float] = []

    def crowd() -> None:
        while not over.is_set():
            with turnstile.turn("critical"):
                time.sleep(run)

    with ThreadPoolExecutor(3) as pool:
        for _ in range(3):
            pool.submit(crowd)
        eventually(lambda: waiting(turnstile) == 2)
        for _ in range(10):
            asked = time.monotonic()
            with turnstile.turn("flexible"):
                waits.append(time.monotonic() - asked)
        over.set()
    assert min(waits) > aging / 2  # the crowd did go first
    assert max(waits) < aging + 10 * run  # a run, and a machine that others use too


def test_no_more_than_the_slots_are_inside_and_an_error_gives_its_slot_back() -> None:
    turnstile, inside, most, lock = Turnstile(3), 0, 0, threading.Lock()

    def work(seed: int) -> None:
        nonlocal inside, most
        zone: Zone = random.Random(seed).choice(("critical", "high", "flexible"))
        with turnstile.turn(zone):
            with lock:
                inside += 1
                most = max(most, inside)
            time.sleep(0.0005)
            with lock:
                inside -= 1
            if seed % 7 == 0:
                raise OSError("failed inside")

    with ThreadPoolExecutor(16) as pool:
        failed = sum(future.exception(10) is not None for future in [pool.submit(work, seed) for seed in range(400)])
    assert failed == len(range(0, 400, 7))
    assert most == 3
    assert turnstile._free == 3
    assert not waiting(turnstile)


class Interrupted(Waiter):
    """Whoever waits is told to stop, before or after its turn has come."""

    late = False

    def __init__(self, zone: Zone, since: float) -> None:
        super().__init__(zone, since)
        self.called.wait = self._stop  # type: ignore[method-assign]

    def _stop(self, timeout: float | None = None) -> bool:
        if self.late:
            eventually(self.called.is_set)
        raise KeyboardInterrupt


@pytest.mark.parametrize("late", [False, True])
def test_who_is_interrupted_keeps_no_slot(monkeypatch: pytest.MonkeyPatch, late: bool) -> None:
    """Ctrl-C in the line, or just as the turn came: the slot goes on to the next."""
    turnstile, interrupted = Turnstile(1), threading.Event()

    def stand() -> None:
        with pytest.raises(KeyboardInterrupt), turnstile.turn("high"):
            pass
        interrupted.set()

    with monkeypatch.context() as patch, ThreadPoolExecutor(1) as pool, turnstile.turn("high"):
        patch.setattr(Interrupted, "late", late)
        patch.setattr("vram_policy.turnstile.Waiter", Interrupted)
        standing = pool.submit(stand)
        eventually(lambda: waiting(turnstile) == 1) if late else standing.result(10)
        turnstile._leave()
        standing.result(10)
        turnstile._enter("high")
    assert interrupted.is_set()
    assert turnstile._free == 1
    assert not waiting(turnstile)
