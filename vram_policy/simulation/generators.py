"""Eight kinds of traffic, each from a seed: two hours, about two requests a second.

Each is the plain form of what its name says, with round numbers; none was changed after a policy had seen it.
Who is popular is drawn anew for each seed, so that no policy can profit from a model that happens to be large.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from vram_policy.simulation.trace import SimulatedModel, Trace

Models: TypeAlias = tuple[SimulatedModel, ...]
Times: TypeAlias = NDArray[np.float64]
Generator: TypeAlias = Callable[[np.random.Generator, Models, float, int], list[Times]]

HOURS: Final = 2 * 3600.0
RATE: Final = 2.0
"""Requests a second, all models together."""


def generate(name: str, models: Models, budget: int, seed: int, duration: float = HOURS) -> Trace:
    """The trace of that name. `budget` in bytes matters to `thrash` alone, whose models must just not fit.

    Raises:
        KeyError: there is no such trace.
    """
    random = np.random.default_rng([seed, zlib.crc32(name.encode())])
    return _merge(name, models, GENERATORS[name](random, models, duration, budget), duration)


def _merge(name: str, models: Models, requests: Sequence[Times], duration: float) -> Trace:
    times = np.concatenate(requests)
    asked = np.repeat(np.arange(len(models)), [len(one) for one in requests])
    order = np.argsort(times, kind="stable")
    order = order[times[order] < duration]
    return Trace(name, models, times[order], asked[order], duration)


def _poisson(random: np.random.Generator, rate: float, begin: float, end: float) -> Times:
    return np.sort(random.uniform(begin, end, random.poisson(rate * max(0.0, end - begin))))


def _zipf(random: np.random.Generator, count: int) -> NDArray[np.float64]:
    """Shares 1, 1/2, 1/3, …, dealt out at random; they add up to 1."""
    shares = 1 / np.arange(1, count + 1)
    return np.asarray(random.permutation(shares / shares.sum()))


def _steady(random: np.random.Generator, models: Models, duration: float, _: int) -> list[Times]:
    """Independent arrivals, popularity by Zipf's law."""
    return [_poisson(random, RATE * share, 0, duration) for share in _zipf(random, len(models))]


def _bursty(random: np.random.Generator, models: Models, duration: float, _: int) -> list[Times]:
    """Each model is on for a minute and a half in the mean, off for six, both exponentially; Zipf's rates while on."""
    return [_on_and_off(random, RATE * share * 5, duration) for share in _zipf(random, len(models))]


def _on_and_off(random: np.random.Generator, rate: float, duration: float) -> Times:
    times = [np.empty(0)]
    moment = 0.0 if random.uniform() < 0.2 else random.exponential(360)
    while moment < duration:
        end = min(duration, moment + random.exponential(90))
        times.append(_poisson(random, rate, moment, end))
        moment = end + random.exponential(360)
    return np.concatenate(times)


def _diurnal(random: np.random.Generator, models: Models, duration: float, _: int) -> list[Times]:
    """Zipf's popularity; each model waxes and wanes between nothing and twice its mean, hourly, in its own phase."""
    requests = []
    for share in _zipf(random, len(models)):
        times = _poisson(random, 2 * RATE * share, 0, duration)
        phase = random.uniform(0, 2 * np.pi)
        kept = random.uniform(size=len(times)) < (1 + np.sin(2 * np.pi * times / 3600 + phase)) / 2
        requests.append(times[kept])
    return requests


def _scan(random: np.random.Generator, models: Models, duration: float, budget: int) -> list[Times]:
    """Steady traffic; every ten minutes somebody tries every model, three requests each, in the catalogue's order."""
    requests = _steady(random, models, duration, budget)
    for begin in np.arange(random.uniform(0, 600), duration, 600):
        for index in range(len(models)):
            tries = begin + 4 * index + np.arange(3)
            requests[index] = np.append(requests[index], tries)
    return requests


def _thrash(random: np.random.Generator, models: Models, duration: float, budget: int) -> list[Times]:
    """Models of 1.1 to 1.3 × the budget in all, the critical among them, asked for in turn, round and round."""
    critical = [index for index, model in enumerate(models) if model.zone == "critical"]
    others = [index for index in range(len(models)) if index not in critical]
    for _ in range(100):  # half of all orders end within the bounds; on a card that holds all models none does
        turn, total = list(critical), sum(models[index].bytes for index in critical)
        for index in random.permutation(others).tolist():
            if total > 1.1 * budget:
                break
            turn.append(index)
            total += models[index].bytes
        if 1.1 * budget < total <= 1.3 * budget:
            break
    times = np.arange(0, duration, 1 / RATE)
    times = np.sort(times + random.uniform(0, 0.5 / RATE, len(times)))
    order = random.permutation(turn).tolist()
    return [times[order.index(index) :: len(order)] if index in order else np.empty(0) for index in range(len(models))]


def _flash(random: np.random.Generator, models: Models, duration: float, budget: int) -> list[Times]:
    """Steady traffic; every twenty minutes a crowd comes for one model, ten requests a second, halving each minute."""
    requests = _steady(random, models, duration, budget)
    for begin in np.arange(random.uniform(0, 1200), duration, 1200):
        index = int(random.integers(len(models)))
        crowd = begin + random.exponential(60 / np.log(2), random.poisson(10 * 60 / np.log(2)))
        requests[index] = np.append(requests[index], crowd)
    return requests


def _loop(random: np.random.Generator, models: Models, duration: float, _: int) -> list[Times]:
    """A job walks the models in turn, a minute of twice the rate each, round and round; a tenth comes evenly."""
    requests = [_poisson(random, 0.1 * RATE / len(models), 0, duration) for _ in models]
    order = random.permutation(len(models)).tolist()
    for turn, begin in enumerate(np.arange(0, duration, 60)):
        index = order[turn % len(order)]
        requests[index] = np.append(requests[index], _poisson(random, 2 * RATE, begin, begin + 60))
    return requests


KINDS: Final = (
    (0.4, ("mobilefacenet_foamliu", "minifasnet_fused")),
    (0.2, ("w600k_r50",)),
    (0.15, ("glintr100", "minifasnet_fused")),
    (0.1, ("efficientnet_b7_dfdc", "mesoinception_df")),
    (0.1, ("fairface", "faceapi_age_gender")),
    (0.05, ("adaface_ir_101", "adaface_ir_18", "efficientnet_b7_dfdc", "fairface")),
)
"""Users of the pipeline: their share, and what they want of each face: logging in, search, a bank, moderation,
audience figures, an archive."""


def _pipeline(random: np.random.Generator, models: Models, duration: float, _: int) -> list[Times]:
    """Users come for a minute or so; each sends a picture a second: the detector, and then what this user wants."""
    requests: list[list[Times]] = [[np.empty(0)] for _ in models]
    indices = {model.tag: index for index, model in enumerate(models)}
    shares = [share for share, _ in KINDS]
    pictures = RATE / (1 + sum(share * len(tags) for share, tags in KINDS))
    for begin in _poisson(random, pictures / 60, 0, duration).tolist():
        tags = KINDS[random.choice(len(KINDS), p=shares)][1]
        times = _poisson(random, 1.0, begin, begin + random.exponential(60))
        requests[indices["yolov10n_face"]].append(times)
        for tag in tags:
            requests[indices[tag]].append(times + 0.05)
    return [np.concatenate(one) for one in requests]


GENERATORS: Final[dict[str, Generator]] = {
    "steady": _steady,
    "bursty": _bursty,
    "diurnal": _diurnal,
    "scan": _scan,
    "thrash": _thrash,
    "flash": _flash,
    "loop": _loop,
    "pipeline": _pipeline,
}
