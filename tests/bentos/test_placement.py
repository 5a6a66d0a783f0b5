"""The parent decides from static facts; the workers are told, and never look for themselves."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bentos.placement import (
    COPY,
    ENTRY,
    LANE,
    PIPELINE,
    VARIABLE,
    Placement,
    Resolution,
    inherited,
    owners,
    publish,
    remember,
    remembered,
    resolve,
    runner_name,
)
from bentos.platform import refuse_unsafe_sockets
from facesocial.capabilities import Capability
from facesocial.configuration import Configuration
from facesocial.errors import ConfigurationError
from models.catalogue import load_catalogue
from vram_policy.choice import Choice

pytestmark = pytest.mark.unit

SIX_GB = (Choice("cuda", 0, 6 << 30, "RTX 3060 Laptop"),)


@pytest.mark.parametrize(
    ("asked", "lane", "cards", "wsl", "placement", "has_lane"),
    [
        ("auto", "auto", (), False, "embedded", False),
        ("auto", "auto", SIX_GB, False, "colocated", True),
        ("auto", "off", SIX_GB, False, "colocated", False),
        ("auto", "auto", SIX_GB, True, "embedded", False),
        ("auto", "auto", (), True, "embedded", False),
        ("embedded", "auto", SIX_GB, False, "embedded", True),
        ("embedded", "auto", SIX_GB, True, "embedded", False),
        ("colocated", "auto", (), False, "colocated", False),
        ("isolated", "on", (), False, "isolated", True),
    ],
)
def test_placement(
    asked: str, lane: str, cards: tuple[Choice, ...], wsl: bool, placement: Placement, has_lane: bool
) -> None:
    """Design §2's table: a GPU means one process beside the edge and the lane; WSL2 means one process in all."""
    configuration = Configuration(placement=asked, cpu_lane=lane)
    resolution = resolve(configuration, cards, wsl, "/run/x")
    assert (resolution.placement, resolution.lane) == (placement, has_lane)
    assert resolution.processes == (placement != "embedded" or has_lane)
    assert resolution.lock(PIPELINE) == Path("/run/x/facesocial_pipeline.lock")
    assert bool(resolution.budgets) == bool(cards)


@pytest.mark.parametrize(("asked", "lane"), [("colocated", "auto"), ("isolated", "off"), ("embedded", "on")])
def test_wsl2_refuses_inner_processes_that_were_asked_for(asked: str, lane: str) -> None:
    """Their sockets would be TCP ports that anybody on the machine can talk to."""
    resolution = resolve(Configuration(placement=asked, cpu_lane=lane), SIX_GB, True, "/x")
    with pytest.raises(ConfigurationError, match="TCP"):
        refuse_unsafe_sockets({}, "5.15.1-microsoft-standard-WSL2", resolution.processes)


def test_budgets_follow_the_processes() -> None:
    """One budget for the one process; in `isolated` one each, the critical zone's the largest, none for the mesh."""
    catalogue = load_catalogue()
    assert owners("embedded", catalogue).keys() == {"facesocial"}
    assert owners("colocated", catalogue).keys() == {PIPELINE}
    isolated = {name: budget[0] for name, budget in _resolved("isolated").budgets.items()}
    colocated = {name: budget[0] for name, budget in _resolved("colocated").budgets.items()}
    assert isolated.keys() == {runner_name(c) for c in Capability if c is not Capability.MESH}
    assert max(isolated, key=isolated.__getitem__) == runner_name(Capability.DETECTION)
    assert sum(isolated.values()) < colocated[PIPELINE] < SIX_GB[0].total, "each context costs"
    assert LANE not in isolated


def _resolved(placement: str) -> Resolution:
    return resolve(Configuration(placement=placement), SIX_GB, False, "/x")


def test_workers_are_told() -> None:
    environment = {"CUDA_VISIBLE_DEVICES": "0"}
    resolution = Resolution("isolated", True, SIX_GB, {"a": {0: 1}}, "/x")
    publish(resolution, environment)
    assert inherited(environment) == resolution
    assert environment["BENTOML_DISABLE_GPU_ALLOCATION"] == "1"
    assert "CUDA_VISIBLE_DEVICES" not in environment, "each process gets its own"


def test_each_process_sees_its_own_cards() -> None:
    """The one that owns models sees them, the edge and the lane none; without a card there is nothing to hide."""
    resolution = _resolved("colocated")
    assert resolution.visible(PIPELINE) == "0"
    assert resolution.visible(LANE) == resolution.visible(ENTRY) == "-1"
    assert 0.8 < resolution.share(PIPELINE) < 1
    assert resolution.share(LANE) == 0
    assert resolve(Configuration(), (), False, "/x").visible(ENTRY) is None
    second = resolve(Configuration(), (Choice("cuda", 1, 6 << 30, "RTX"),), False, "/x")
    assert second.visible(PIPELINE) == "1"
    simulated = resolve(Configuration(), (Choice("simulated", 0, 6 << 30, "simulated"),), False, "/x")
    assert simulated.visible(PIPELINE) == "-1"


def test_a_worker_can_go_on_with_what_the_parent_started_with() -> None:
    """The file may be wrong when it starts again."""
    environment: dict[str, str] = {}
    configuration = Configuration.model_validate(
        {
            "placement": "isolated",
            "vram": {"gpu": "simulated:2GiB", "residency_s": 7, "models": {"a": {"zone": "high"}}},
            "rates": {"trusted_networks": ["10.0.0.0/8"]},
            "redis": {"url": "redis://:hunter2@localhost:6379/0"},
            "cache": {"secret": "s" * 32},
        }
    )
    remember(configuration, environment)
    assert remembered(environment) == configuration, "with its secrets"
    with pytest.raises(ConfigurationError, match="facesocial serve"):
        remembered({})


@pytest.mark.parametrize("environment", [{}, {VARIABLE: "?"}, {VARIABLE: '{"placement": "elsewhere"}'}])
def test_a_worker_that_was_not_told_does_not_guess(environment: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match="facesocial serve"):
        inherited(environment)


def test_it_is_told_what_is_no_longer_right(tmp_path: Path) -> None:
    """A file that the configuration names has changed, say."""
    with pytest.raises(ConfigurationError, match=r"cannot be used any more: server\.tls\.certificate: ") as refused:
        remembered({COPY: json.dumps({"server": {"tls": {"certificate": str(tmp_path / "gone"), "key": "/gone"}}})})
    assert "not set" not in str(refused.value)
