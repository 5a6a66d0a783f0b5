"""How many processes own models: resolved once by the parent, told to its workers through the environment."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Literal, TypeAlias

import msgspec
from pydantic import SecretStr, ValidationError

from facesocial.capabilities import Capability
from facesocial.configuration import Configuration
from facesocial.errors import ConfigurationError
from models.catalogue import Catalogue, load_catalogue
from vram_policy.budget import spread
from vram_policy.choice import Choice
from vram_policy.footprint import MEBIBYTE
from vram_policy.zones import Zone

Placement: TypeAlias = Literal["embedded", "colocated", "isolated"]

VARIABLE: Final = "FACESOCIAL_RESOLUTION"
"""Environment variable that holds the parent's resolution, as JSON."""

COPY: Final = "FACESOCIAL_STARTED_WITH"
"""Environment variable that holds the parent's configuration, as JSON."""

BUILD: Final = "FACESOCIAL_BUILD"
"""Set while a bento is built. It freezes its list of services then, so all must be there to serve in any placement."""

ENTRY: Final = "facesocial"
PIPELINE: Final = "facesocial_pipeline"
LANE: Final = "facesocial_lane"


NO_CARD: Final = "-1"
"""CUDA_VISIBLE_DEVICES that shows none; BentoML takes an empty one for unset."""


def runner_name(capability: Capability) -> str:
    """The BentoML service that holds one capability in placement `isolated`."""
    return f"facesocial_{capability.value}"


class Resolution(msgspec.Struct, frozen=True):
    """What the parent decided.

    Attributes:
        placement: `embedded`: all in the entry's process; `colocated`: the pipeline and every model in one process
            beside it; `isolated`: the pipeline in one, each capability in one of its own.
        lane: whether one more process holds every model on the CPU.
        cards: those that are used, in the order in which CUDA counts them in a process that sees all of them.
        budgets: bytes by card (its place in `cards`), by the name of the service whose process may use them.
        runtime: folder of mode 0700 for locks, control sockets and metrics.
    """

    placement: Placement
    lane: bool
    cards: tuple[Choice, ...]
    budgets: dict[str, dict[int, int]]
    runtime: str

    @property
    def processes(self) -> bool:
        """Whether there are inner processes."""
        return self.placement != "embedded" or self.lane

    def visible(self, name: str) -> str | None:
        """CUDA_VISIBLE_DEVICES of the process of this service; None: there is no card to hide."""
        if not self.cards:
            return None
        mine = [self.cards[place] for place in self.budgets.get(name, {})]
        return ",".join(str(card.index) for card in mine if card.kind == "cuda") or NO_CARD

    def share(self, name: str) -> float:
        """Of one card, what the process of this service may take: BentoML's `resources`."""
        return sum(bytes_ / self.cards[place].total for place, bytes_ in self.budgets.get(name, {}).items())

    def lock(self, name: str) -> Path:
        """The file that the process of this service holds locked while it lives."""
        return Path(self.runtime, f"{name}.lock")


def resolve(configuration: Configuration, cards: Sequence[Choice], wsl: bool, runtime: str) -> Resolution:
    """The placement and the budgets, from static facts alone."""
    asked = configuration.placement
    lane = configuration.cpu_lane == "on" or (configuration.cpu_lane == "auto" and bool(cards) and not wsl)
    placement: Placement = asked if asked != "auto" else "colocated" if cards and not wsl else "embedded"
    vram, totals = configuration.vram, [card.total for card in cards]
    limit = None if vram.budget_mib is None else vram.budget_mib * MEBIBYTE
    processes = owners(placement, load_catalogue())
    budgets = spread(totals, processes, vram.headroom_mib * MEBIBYTE, limit) if cards else {}
    return Resolution(placement, lane, tuple(cards), budgets, runtime)


def everything(runtime: str) -> Resolution:
    """Every service there is, for the build."""
    return Resolution("isolated", True, (), {}, runtime)


def owners(placement: Placement, catalogue: Catalogue) -> dict[str, tuple[Zone, ...]]:
    """Service → zones of the models in its process; zones as the default pack has them. The mesh runs on the CPU."""
    zones: dict[Capability, Zone] = {
        spec.capability: spec.zone
        for spec in catalogue.pack(catalogue.default_pack)
        if isinstance(spec.capability, Capability) and spec.capability is not Capability.MESH
    }
    if placement == "isolated":
        return {runner_name(capability): (zone,) for capability, zone in zones.items()}
    return {ENTRY if placement == "embedded" else PIPELINE: tuple(zones.values())}


def publish(resolution: Resolution, environment: dict[str, str]) -> None:
    """Tell the workers that will inherit `environment`. BentoML gives out no GPUs: the policy does."""
    environment[VARIABLE] = msgspec.json.encode(resolution).decode()
    environment["BENTOML_DISABLE_GPU_ALLOCATION"] = "1"
    environment["CUDA_DEVICE_ORDER"] = "PCI_BUS_ID"  # as the driver counts
    environment.pop("CUDA_VISIBLE_DEVICES", None)  # the policy has heeded it; each process gets its own


def remember(configuration: Configuration, environment: dict[str, str]) -> None:
    """Keep for the workers what the parent started with: the file may be wrong when one of them starts again.

    With its secrets: who may read the environment of a process may read its memory.
    """
    environment[COPY] = json.dumps(configuration.model_dump(), default=_plain)


def _plain(value: object) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else str(value)


def remembered(environment: Mapping[str, str]) -> Configuration:
    """What the parent started with.

    Raises:
        ConfigurationError: it was not kept.
    """
    try:
        return Configuration(**json.loads(environment[COPY]))
    except KeyError as error:
        raise ConfigurationError(f"{COPY} is not set: start the service with `facesocial serve`") from error
    except ValidationError as error:  # a file that it names has changed
        wrong = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        raise ConfigurationError(f"what the service was started with cannot be used any more: {wrong}") from error


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
