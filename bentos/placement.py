"""How many processes own models: resolved once by the parent, told to its workers through the environment."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Literal, TypeAlias

import msgspec

from facesocial.capabilities import Capability
from facesocial.configuration import Configuration
from facesocial.errors import ConfigurationError
from models.catalogue import Catalogue, load_catalogue
from vram_policy.budget import share_out
from vram_policy.zones import Zone

Placement: TypeAlias = Literal["embedded", "colocated", "isolated"]

VARIABLE: Final = "FACESOCIAL_RESOLUTION"
"""Environment variable that holds the parent's resolution, as JSON."""

BUILD: Final = "FACESOCIAL_BUILD"
"""Set while a bento is built. It freezes its list of services then, so all must be there to serve in any placement."""

PIPELINE: Final = "facesocial_pipeline"
LANE: Final = "facesocial_lane"


def runner_name(capability: Capability) -> str:
    """The BentoML service that holds one capability in placement `isolated`."""
    return f"facesocial_{capability.value}"


class Resolution(msgspec.Struct, frozen=True):
    """What the parent decided.

    Attributes:
        placement: `embedded`: all in the entry's process; `colocated`: the pipeline and every model in one process
            beside it; `isolated`: the pipeline in one, each capability in one of its own.
        lane: whether one more process holds every model on the CPU.
        budgets: bytes of the card, by the name of the service whose process may use them; empty without a card.
        runtime: folder of mode 0700 for locks and control sockets.
    """

    placement: Placement
    lane: bool
    budgets: dict[str, int]
    runtime: str

    @property
    def processes(self) -> bool:
        """Whether there are inner processes."""
        return self.placement != "embedded" or self.lane

    def lock(self, name: str) -> Path:
        """The file that the process of this service holds locked while it lives."""
        return Path(self.runtime, f"{name}.lock")


def resolve(configuration: Configuration, cards: Sequence[int], wsl: bool, runtime: str) -> Resolution:
    """The placement and the budgets, from static facts alone: `cards` are bytes of each card's memory."""
    asked = configuration.placement
    lane = configuration.cpu_lane == "on" or (configuration.cpu_lane == "auto" and bool(cards) and not wsl)
    placement: Placement = asked if asked != "auto" else "colocated" if cards and not wsl else "embedded"
    budgets = share_out(cards[0], owners(placement, load_catalogue())) if cards else {}
    return Resolution(placement, lane, budgets, runtime)


def everything(runtime: str) -> Resolution:
    """Every service there is, for the build."""
    return Resolution("isolated", True, {}, runtime)


def owners(placement: Placement, catalogue: Catalogue) -> dict[str, tuple[Zone, ...]]:
    """Service → zones of the models in its process; zones as the default pack has them. The mesh runs on the CPU."""
    zones: dict[Capability, Zone] = {
        spec.capability: spec.zone
        for spec in catalogue.pack(catalogue.default_pack)
        if isinstance(spec.capability, Capability) and spec.capability is not Capability.MESH
    }
    if placement == "isolated":
        return {runner_name(capability): (zone,) for capability, zone in zones.items()}
    return {"facesocial" if placement == "embedded" else PIPELINE: tuple(zones.values())}


def publish(resolution: Resolution, environment: dict[str, str]) -> None:
    """Tell the workers that will inherit `environment`. BentoML gives out no GPUs: the policy does."""
    environment[VARIABLE] = msgspec.json.encode(resolution).decode()
    environment["BENTOML_DISABLE_GPU_ALLOCATION"] = "1"


def inherited(environment: Mapping[str, str]) -> Resolution:
    """What the parent published.

    Raises:
        ConfigurationError: nothing; the worker was not started by our entry module.
    """
    try:
        return msgspec.json.decode(environment[VARIABLE], type=Resolution)
    except (KeyError, msgspec.MsgspecError) as error:
        raise ConfigurationError(
            f"{VARIABLE} is not set: start the service with `facesocial serve`, without {BUILD}"
        ) from error


def make_runtime() -> str:
    """A folder of mode 0700 that goes when this process ends."""
    folder = tempfile.mkdtemp(prefix="facesocial-")
    owner = os.getpid()

    def clean() -> None:
        if os.getpid() == owner:
            shutil.rmtree(folder, ignore_errors=True)

    atexit.register(clean)
    return folder
