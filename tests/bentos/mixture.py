"""A mixed load on a service with a card, and what the card went through meanwhile."""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

from cli.vram.service import credentials
from facesocial.capabilities import Capability

ROUTES: Final = ("detect", "analyze", "embed", "liveness", "deepfake", "demographics", "verify")
USES: Final = {
    "embed": {"recognition"},
    "verify": {"recognition"},
    "liveness": {"liveness"},
    "deepfake": {"deepfake"},
    "demographics": {"demographics"},
    "analyze": {"recognition", "liveness", "deepfake", "demographics"},
    "detect": set[str](),
}
"""Route → capabilities beside detection, which is critical and always there."""

ARRIVING: Final = {"reserved", "loading", "warming"}
LOOK_SECONDS: Final = 0.05


@dataclass(frozen=True)
class Asked:
    """One request: monotonic times, status, where it was answered."""

    route: str
    began: float
    ended: float
    status: int
    devices: dict[str, str]

    @property
    def seconds(self) -> float:
        """Until the answer."""
        return self.ended - self.began


@dataclass
class Mixture:
    """Everything that was asked, and when which model was on its way onto the card."""

    asked: list[Asked] = field(default_factory=list)
    looks: list[tuple[float, set[str]]] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    @property
    def met(self) -> list[Asked]:
        """Those that met a load, so far."""
        return [one for one in self.asked if self._met_a_load(one)]

    def _met_a_load(self, one: Asked) -> bool:
        """Whether a model that it needed was on its way, and the CPU answered for it."""
        by_cpu = {name for name in USES[one.route] if one.devices.get(name) == "cpu"}
        early, late = one.began - LOOK_SECONDS, one.ended + LOOK_SECONDS
        return any(by_cpu & arriving for moment, arriving in self.looks if early <= moment <= late)

    def ask(self, url: str, picture: bytes, seed: int) -> None:
        """Route after route, at random; a broken connection is an error of the test."""
        pick = random.Random(seed)
        with httpx.Client(base_url=url, timeout=60) as client:
            while not self.over.is_set():
                route, began = pick.choice(ROUTES), time.monotonic()
                names = ("image_a", "image_b") if route == "verify" else ("image",)
                response = client.post(f"/v1/{route}", files=dict.fromkeys(names, ("a", picture)))
                devices = response.json().get("device", {})
                self.asked.append(Asked(route, began, time.monotonic(), response.status_code, devices))

    def watch(self, url: str) -> None:
        """Look at the card."""
        with httpx.Client(base_url=url, timeout=10, headers=credentials()) as client:
            while not self.over.wait(LOOK_SECONDS):
                response = client.get("/v1/admin/vram")
                if response.status_code == 200:
                    self.looks.append((time.monotonic(), arriving(response.json()["items"])))


def arriving(processes: list[dict[str, Any]]) -> set[str]:
    """Capabilities whose model is on its way, by the catalogue's names."""
    tags = (
        model["tag"].partition(":")[0]
        for process in processes
        for card in process["cards"]
        for model in card["models"]
        if model["state"] in ARRIVING
    )
    return {CAPABILITY[name] for name in tags}


CAPABILITY: Final = {
    "yunet_n_dynamic": Capability.DETECTION.value,
    "mobilefacenet_foamliu": Capability.RECOGNITION.value,
    "minifasnet_fused": Capability.LIVENESS.value,
    "mesoinception_df": Capability.DEEPFAKE.value,
    "faceapi_age_gender": Capability.DEMOGRAPHICS.value,
}
"""Of the permissive pack."""


@contextmanager
def mixture(url: str, picture: bytes, callers: int = 8) -> Iterator[Mixture]:
    """The load, for as long as the block lasts."""
    load, seeds = Mixture(), itertools.count()
    threads = [threading.Thread(target=load.ask, args=(url, picture, next(seeds))) for _ in range(callers)]
    threads.append(threading.Thread(target=load.watch, args=(url,)))
    for thread in threads:
        thread.start()
    try:
        yield load
    finally:
        load.over.set()
        for thread in threads:
            thread.join(90)
        assert not any(thread.is_alive() for thread in threads), "a request hangs"
