"""The cards of a process: which arbiters it gets, what it sees, and what a lost card means for it."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from pathlib import Path

import pytest

from bentos import vram
from bentos.placement import LANE, PIPELINE, Resolution, resolve
from bentos.runtime import make_runtime
from bentos.vram import Recycler, arbiter_of
from facesocial.configuration import Configuration, StandSettings, VramSettings
from facesocial.errors import DeviceLost
from tests.vram_policy.fakes import FakeModel
from vram_policy.choice import choose

pytestmark = pytest.mark.unit

TWO = VramSettings(gpu="simulated:6GiB,4GiB", models={"model": StandSettings(zone="critical")})


def resolved(settings: VramSettings) -> tuple[Configuration, Resolution]:
    """As the parent of the service does."""
    configuration = Configuration(vram=settings)
    return configuration, resolve(configuration, choose(settings.gpu, ()), False, make_runtime())


@pytest.fixture(autouse=True)
def unseen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable is as it was after each test."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")


def test_the_owner_gets_an_arbiter_for_each_card_and_the_others_none() -> None:
    """And every real card is hidden from all of them, when the chosen one is simulated."""
    configuration, resolution = resolved(TWO)
    owner = arbiter_of(PIPELINE, configuration, resolution)
    assert [one.card.device for one in owner.arbiters] == ["simulated:0", "simulated:1"]
    assert owner.arbiters[0].budget - owner.arbiters[1].budget == 2 << 30
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "-1"
    assert arbiter_of(LANE, configuration, resolution).arbiters == ()


def test_without_a_card_nothing_is_hidden_and_the_cpu_answers() -> None:
    configuration, resolution = resolved(VramSettings(gpu="none"))
    assert arbiter_of("facesocial", configuration, resolution).lease(FakeModel()).device == "cpu"
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "0,1"


def test_zones_of_the_configuration_hold_from_the_first_request_and_the_heart_beats(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A model that the operator made critical is loaded at its rehearsal; the ledger is compared again and again."""
    monkeypatch.setattr(vram, "BEAT_SECONDS", 0.01)
    configuration, resolution = resolved(TWO)
    owner, model = arbiter_of(PIPELINE, configuration, resolution), FakeModel()
    beats, tick = Counter[str](), owner.arbiters[0].tick

    def beat() -> None:
        beats["first"] += 1
        tick()

    monkeypatch.setattr(owner.arbiters[0], "tick", beat)
    owner.lease(model).end()
    until = time.monotonic() + 5
    while not (owner.lease(model).device == "simulated:0" and beats["first"] > 3):
        assert time.monotonic() < until
        time.sleep(0.01)


@pytest.mark.parametrize("lane", [True, False])
def test_a_process_whose_card_is_lost_ends_when_the_lane_can_answer(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, lane: bool
) -> None:
    """It says goodbye first, is told to end in order, and not again a moment later; without the lane it stays."""
    did: list[object] = []
    monkeypatch.setattr(os, "kill", lambda pid, number: did.append((pid, number)))
    resolution = Resolution("colocated", lane, (), {}, str(tmp_path))
    for _ in range(2):
        Recycler(PIPELINE, resolution, lambda: did.append("left"))("the context is poisoned")
    assert did == (["left", (os.getpid(), signal.SIGTERM)] if lane else [])


def test_a_lost_card_reaches_the_recycler() -> None:
    """Through the arbiter, once."""
    configuration, resolution = resolved(VramSettings(gpu="simulated:6GiB"))
    lost: list[str] = []
    owner = arbiter_of(PIPELINE, configuration, resolution, lost.append)
    for _ in range(2):
        owner.arbiters[0].lost(DeviceLost("poisoned"))
    assert lost == ["poisoned"]
