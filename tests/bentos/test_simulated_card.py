"""The whole service on a simulated card: who is on it, what a mixed load does to it, what a dead process leaves."""

from __future__ import annotations

import json
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import httpx
import psutil
import pytest

from bentos.placement import LANE, PIPELINE, runner_name
from cli.process import Service
from cli.vram.service import credentials
from facesocial.capabilities import Capability
from models.library import Library
from tests.bentos.mixture import CAPABILITY, Mixture, mixture
from tests.bentos.processes import workers

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

WATCHED = {"FACESOCIAL__RATES__ENDPOINTS": '{"/v1/admin": 1000000}', "FACESOCIAL__RATES__ADMIN": "1000000"}
"""We look at the card twenty times a second."""

SMALL = {"FACESOCIAL__VRAM__GPU": "simulated:1GiB", **WATCHED}
RESTLESS = {
    "FACESOCIAL__VRAM__POLICY": "lru",
    "FACESOCIAL__VRAM__RESIDENCY_S": "1",
    "FACESOCIAL__VRAM__LOAD_MIB_S": "50",
    "FACESOCIAL__VRAM__MODELS": json.dumps(
        {name: {"zone": "flexible"} for name, of in CAPABILITY.items() if of != Capability.DETECTION}
    ),
}
"""All in one zone, a policy that thrashes, loads that take a second: a load is met as often as can be."""

ENOUGH = 200
"""Requests that met a load, for a 95th percentile: a slow machine takes its time."""


@pytest.fixture(scope="module")
def picture(six_faces: Path) -> bytes:
    """Two people of the group picture, small: many requests a second."""
    image = cv2.imread(str(six_faces))
    assert image is not None
    half = cv2.resize(image, None, fx=0.5, fy=0.5)
    return bytes(cv2.imencode(".jpg", half[:, : half.shape[1] // 3])[1])


def cards(service: Service) -> dict[str, dict[str, Any]]:
    """Process → its card."""
    response = httpx.get(f"{service.url}/v1/admin/vram", headers=credentials(), timeout=10)
    assert response.status_code == 200, response.text
    return {item["process"]: item["cards"][0] for item in response.json()["items"]}


def evictions(service: Service) -> int:
    """How often a model had to go for another."""
    count: int = cards(service)[PIPELINE]["counts"]["evictions"]
    return count


def unload(service: Service, capability: Capability) -> None:
    """Off the card, and kept off."""
    path = f"/v1/admin/models/{capability.alias}/unload"
    assert httpx.post(service.url + path, headers=credentials(), timeout=60).status_code == 200


def degraded(service: Service) -> list[str]:
    """What is missing while the rest works."""
    return list(httpx.get(f"{service.url}/readyz", timeout=10).json()["degraded"])


def settled(service: Service) -> bool:
    """Whether everything is there: the lane too."""
    return degraded(service) == []


def until(service: Service, true: Any, seconds: float = 60, every: float = 0.1) -> None:
    """Within the time, or the test fails."""
    limit = time.monotonic() + seconds
    while not true(service):
        assert time.monotonic() < limit, "too late"
        time.sleep(every)


@pytest.fixture(scope="module")
def profiled(library: Library) -> None:
    """What serves has been measured; it is kept with the models."""
    subprocess.run([Path(sys.executable).with_name("facesocial"), "vram", "profile"], check=True, capture_output=True)


@pytest.fixture(scope="module")
def carded(profiled: None) -> Iterator[Service]:
    """A service that found a card on which all but one fit, for those who leave it as it is."""
    with Service.start({"FACESOCIAL__VRAM__GPU": "simulated:1280MiB"}) as service:
        until(service, settled)
        yield service


def analyzed(service: Service, picture: bytes) -> dict[str, str]:
    """Where each capability was answered."""
    response = httpx.post(f"{service.url}/v1/analyze", files={"image": ("a", picture)}, timeout=60)
    assert response.status_code == 200
    devices: dict[str, str] = response.json()["device"]
    return devices


def test_a_card_means_one_process_beside_the_edge_and_the_lane(carded: Service) -> None:
    """Each sees only the cards that are its own: of a simulated one, no real one."""
    found = workers(carded)
    assert found.keys() == {"facesocial", PIPELINE, LANE}
    for name in (PIPELINE, LANE):
        assert found[name].environ()["CUDA_VISIBLE_DEVICES"] == "-1"


def test_zones_decide_who_is_there_and_answers_say_where_they_come_from(carded: Service, picture: bytes) -> None:
    """Critical at the start, high on the first request, flexible on the second where there is room; else the CPU."""
    assert analyzed(carded, picture) == {
        "detection": "simulated:0",
        "recognition": "cpu",
        "liveness": "cpu",
        "deepfake": "cpu",
        "demographics": "cpu",
    }
    until(carded, lambda service: sum(m["state"] == "ready" for m in cards(service)[PIPELINE]["models"]) >= 3)
    devices = analyzed(carded, picture)
    assert devices["recognition"] == devices["liveness"] == "simulated:0"
    card = cards(carded)[PIPELINE]
    assert card["charged"] <= card["budget"]
    assert card["own"] <= card["charged"] + card["context"]
    assert "cuda" not in str(card)


def test_an_operator_moves_models_and_is_refused_what_does_not_fit(carded: Service, picture: bytes) -> None:
    """Load, unload, 409; and the models' list says who is resident."""
    move = f"{carded.url}/v1/admin/models"
    assert httpx.post(f"{move}/face-recognition/unload", headers=credentials(), timeout=60).status_code == 200
    state = {model["tag"].partition(":")[0]: model["state"] for model in cards(carded)[PIPELINE]["models"]}
    assert state["mobilefacenet_foamliu"] == "absent"
    assert httpx.post(f"{move}/face-mesh/load", headers=credentials(), timeout=60).json()["code"] == "conflict"
    assert httpx.post(f"{move}/face-recognition/load", headers=credentials(), timeout=60).status_code == 200
    assert analyzed(carded, picture)["recognition"] == "simulated:0"
    items = httpx.get(f"{carded.url}/v1/models").json()["items"]
    resident = {item["serves"] for item in items if item["device"]}
    assert {"face-detection", "face-recognition"} <= resident
    refused = httpx.post(f"{move}/face-deepfake/load", headers=credentials(), timeout=60)
    assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
    assert "nobody may be evicted for it" in refused.json()["detail"]


def test_a_mixed_load_fails_nobody_and_a_load_is_waited_for_by_nobody(
    profiled: None, picture: bytes, record_testsuite_property: Callable[[str, object], None]
) -> None:
    """All tasks, 8 clients: 0 failures; who met a load was answered by the CPU, hardly later than without a card.

    The policy of the service would load three models and rest: a card is thrashed here that loads may be met at all.
    """
    with Service.start(SMALL | RESTLESS) as service:
        until(service, settled)
        with mixture(service.url, picture) as load:
            until(service, lambda at: len(load.met) >= ENOUGH and evictions(at) > 10, 300, every=5)
        busy = cards(service)[PIPELINE]
        for capability in Capability:
            if capability is not Capability.MESH:
                httpx.post(
                    f"{service.url}/v1/admin/models/{capability.alias}/unload", headers=credentials(), timeout=60
                )
        with mixture(service.url, picture) as on_cpu:
            until(service, lambda _: len(on_cpu.asked) >= 2 * ENOUGH, 300, every=1)
        empty = cards(service)[PIPELINE]
    assert {one.status for one in (*load.asked, *on_cpu.asked)} == {200}
    met = load.met
    late, usual = _relative_p95(met, on_cpu), _relative_p95(on_cpu.asked, on_cpu)
    record_testsuite_property(
        "requests", f"{len(load.asked)}, {len(met)} met a load, p95 {late / usual:.2f} of the CPU"
    )
    record_testsuite_property("counts", str(busy["counts"]))
    assert late <= 1.5 * usual
    assert busy["counts"]["failovers"] == busy["counts"]["out_of_memory"] == busy["leaked"] == 0
    assert busy["own"] - busy["context"] <= busy["charged"] <= busy["budget"]
    assert empty["charged"] == empty["own"] - empty["context"] == 0


def _relative_p95(asked: list[Any], reference: Mixture) -> float:
    """p95 of latencies, each as a multiple of its route's median on the CPU: routes differ more than devices do."""
    usual = {
        route: statistics.median(one.seconds for one in reference.asked if one.route == route)
        for route in {one.route for one in asked}
    }
    return float(statistics.quantiles([one.seconds / usual[one.route] for one in asked], n=20)[-1])


@pytest.mark.chaos
def test_a_lost_card_costs_no_request_and_its_process_starts_anew_once(profiled: None, picture: bytes) -> None:
    """A sticky error under load is finished on the CPU, the process recycled; lost again, it stays, and says so."""
    with Service.start(SMALL | {"FACESOCIAL__VRAM__LOST_AT_RUN": "60"}) as service:
        until(service, settled)
        first = workers(service)[PIPELINE].pid
        with mixture(service.url, picture, callers=3) as load:
            until(service, lambda at: workers(at).get(PIPELINE, psutil.Process()).pid not in (first, os.getpid()), 60)
            until(service, lambda at: "simulated:0 is lost: the CPU answers" in degraded(at))
            second = workers(service)[PIPELINE].pid
            time.sleep(3)
        assert {one.status for one in load.asked} == {200}
        assert workers(service)[PIPELINE].pid == second
        card = cards(service)[PIPELINE]
        assert card["lost"]
        assert card["counts"]["failovers"] >= 1
        assert set(analyzed(service, picture).values()) == {"cpu"}


@pytest.mark.chaos
def test_kill_9_of_the_cards_process_every_20_seconds(profiled: None, picture: bytes) -> None:
    """Ten kills under load: at most one of a thousand requests fails, nobody waits a second longer than on the CPU."""
    kills = 10
    with Service.start(SMALL) as service:
        until(service, settled)
        with mixture(service.url, picture, callers=4) as usual:
            for capability in Capability:
                if capability is not Capability.MESH:
                    httpx.post(
                        f"{service.url}/v1/admin/models/{capability.alias}/unload", headers=credentials(), timeout=60
                    )
            time.sleep(30)
        slowest = statistics.quantiles([one.seconds for one in usual.asked], n=100)[-1]
        with mixture(service.url, picture, callers=4) as load:
            for _ in range(kills):
                time.sleep(20)
                until(service, settled)
                os.kill(workers(service)[PIPELINE].pid, signal.SIGKILL)
                time.sleep(0.3)
                state = httpx.get(f"{service.url}/readyz", timeout=10).json()
                assert state["ready"]
                assert any("process is not there" in text or "lane answers" in text for text in state["degraded"])
            until(service, settled)
        failed = [one for one in load.asked if one.status != 200]
        assert len(failed) <= len(load.asked) / 1000
        assert max(one.seconds for one in load.asked) <= slowest + 1
        card = cards(service)[PIPELINE]
        assert card["free"] == card["total"] - card["own"], "what the dead held is charged to nobody"
        assert service.log.read_bytes().count(b"answered by the CPU lane") >= kills


@pytest.mark.chaos
def test_isolated_has_fixed_budgets_and_a_dead_runner_leaves_nothing(profiled: None, picture: bytes) -> None:
    """Each process pays for its context on the one card; kill -9 of one frees what it held."""
    with Service.start({"FACESOCIAL__VRAM__GPU": "simulated:6GiB", "FACESOCIAL__PLACEMENT": "isolated"}) as service:
        until(service, settled)
        for _ in range(3):
            analyzed(service, picture)
            time.sleep(1)
        devices = analyzed(service, picture)
        assert set(devices.values()) == {"simulated:0"}
        found = cards(service)
        assert found.keys() == {runner_name(one) for one in Capability if one is not Capability.MESH}
        total = next(iter(found.values()))["total"]
        assert sum(card["budget"] + card["context"] for card in found.values()) <= total
        held = sum(card["own"] for card in found.values())
        assert all(card["free"] == total - held for card in found.values())
        victim = runner_name(Capability.DEEPFAKE)
        os.kill(workers(service)[victim].pid, signal.SIGKILL)
        left = found[runner_name(Capability.DETECTION)]
        until(service, lambda at: cards(at)[left_name]["free"] >= left["free"] + found[victim]["own"], 5)


left_name = runner_name(Capability.DETECTION)


def test_r20_sigterm_during_a_long_load(profiled: None, picture: bytes) -> None:
    """A load of ten seconds has begun: the service ends in order, within thirty."""
    with Service.start(SMALL | {"FACESOCIAL__VRAM__LOAD_MIB_S": "10"}) as service:
        until(service, settled)
        analyzed(service, picture)
        until(service, lambda at: any(m["state"] == "loading" for m in cards(at)[PIPELINE]["models"]), 10)
        processes = [psutil.Process(service.pid), *psutil.Process(service.pid).children(recursive=True)]
        began = time.monotonic()
        os.kill(service.pid, signal.SIGTERM)
        assert processes[0].wait(30) == 0
        _, alive = psutil.wait_procs(processes, timeout=10)
        assert alive == []
        assert time.monotonic() - began < 30
