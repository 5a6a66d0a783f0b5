"""A trace: which model was asked for when. Written and read as JSON lines, recorded from a service that runs."""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from facesocial.errors import ConfigurationError
from vram_policy.footprint import Costs
from vram_policy.zones import Zone

Task: TypeAlias = Literal["detection", "recognition", "liveness", "deepfake", "demographics"]

TASKS: Final[tuple[Task, ...]] = get_args(Task)

FORMAT: Final = "facesocial trace 1"


@dataclass(frozen=True, slots=True)
class SimulatedModel:
    """What the policy knows of a model. `bytes` is what it is charged, `task` whose latencies its answers must keep."""

    tag: str
    task: Task
    zone: Zone
    bytes: int
    costs: Costs
    pin: bool = False


@dataclass(frozen=True, slots=True)
class Trace:
    """Requests in the order of their arrival.

    Attributes:
        name: of the generator, or of the file.
        models: those that may be asked for.
        times: seconds since the beginning, [n], ascending.
        asked: indices into `models`, [n].
        duration: seconds.
    """

    name: str
    models: tuple[SimulatedModel, ...]
    times: NDArray[np.float64]
    asked: NDArray[np.intp]
    duration: float

    def __post_init__(self) -> None:
        if len(self.times) != len(self.asked):
            raise ValueError("a request has a time and a model")
        if len(self.times) and (np.any(np.diff(self.times) < 0) or self.times[0] < 0 or self.times[-1] > self.duration):
            raise ValueError("times ascend from 0 to the duration")
        if len(self.asked) and not 0 <= self.asked.min() <= self.asked.max() < len(self.models):
            raise ValueError("a request is for one of the models")

    @property
    def gains(self) -> NDArray[np.float64]:
        """CPU-seconds that each model's answer on the card saves, [models]."""
        return np.array([model.costs.cpu for model in self.models])

    def of(self, model: int) -> NDArray[np.float64]:
        """The times of one model's requests."""
        return np.asarray(self.times[self.asked == model])


def as_text(trace: Trace) -> str:
    """One line about the models, then a line [milliseconds, model] for each request. Nothing else is in it."""
    head = {
        "format": FORMAT,
        "name": trace.name,
        "duration": trace.duration,
        "models": [asdict(model) for model in trace.models],
    }
    requests = zip((trace.times * 1000).round(3).tolist(), trace.asked.tolist(), strict=True)
    lines = (json.dumps(head), *(json.dumps(request) for request in requests))
    return "\n".join(lines) + "\n"


def read_trace(file: Path) -> Trace:
    """Read what `as_text` gave.

    Raises:
        ConfigurationError: the file is not a trace.
    """
    try:
        head, *lines = map(json.loads, file.read_text("utf-8").splitlines())
        if head["format"] != FORMAT:
            raise ValueError(head["format"])
        requests = np.array(lines, np.float64).reshape(-1, 2)
        return Trace(
            name=str(head["name"]),
            models=tuple(map(_model, head["models"])),
            times=requests[:, 0] / 1000,
            asked=requests[:, 1].astype(np.intp),
            duration=float(head["duration"]),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(f"{file} is not a trace: {error}") from error


def _model(fields: Mapping[str, Any]) -> SimulatedModel:
    return SimulatedModel(**{**fields, "costs": Costs(**fields["costs"])})


class TraceRecorder:
    """Remembers the last requests: when, and which model. Safe to call from many threads.

    Args:
        clock: seconds that do not go back.
        most: requests that are kept; 16 bytes and a reference each.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, most: int = 100_000) -> None:
        self._clock = clock
        self._requests: deque[tuple[float, str]] = deque(maxlen=most)  # appending is atomic

    def record(self, tag: str) -> None:
        """One request, now."""
        self._requests.append((self._clock(), tag))

    def trace(self, models: Mapping[str, SimulatedModel], name: str = "recorded") -> Trace:
        """What was recorded, from the first request that is kept until now; tags that `models` lacks are left out."""
        requests = sorted(request for request in self._requests.copy() if request[1] in models)
        indices = {tag: index for index, tag in enumerate(models)}
        times = np.array([moment for moment, _ in requests], np.float64)
        begin = times[0] if len(times) else self._clock()
        return Trace(
            name=name,
            models=tuple(models.values()),
            times=times - begin,
            asked=np.array([indices[tag] for _, tag in requests], np.intp),
            duration=self._clock() - begin,
        )
