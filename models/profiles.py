"""What was measured of a model, kept in its folder of the model store: a JSON file for each card it was measured on."""

from __future__ import annotations

import hashlib
import os
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Final

import structlog
from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat, NonNegativeInt, ValidationError, model_validator

from models.spec import Digest
from models.store import InstalledModel

log = structlog.get_logger(__name__)

SIMULATED: Final = "simulated"
"""Every simulated card. What is kept for it was measured on the CPU: the growth of the process's memory."""


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Key(_Record):
    """What the figures hold for; of anything else they say nothing.

    Attributes:
        digest: of the served file.
        device: the card's name, or `SIMULATED`.
        runtime: version of ONNX Runtime.
        options: provider options that memory depends on.
        batch: rows of the largest run.
    """

    digest: Digest
    device: str
    runtime: str
    options: dict[str, str]
    batch: int = Field(gt=0)


class Measurement(_Record):
    """Bytes without the context of the process, and seconds.

    Attributes:
        weights, peak, steady: after loading, the most while every permitted shape ran, and afterwards.
        kept: not given back when the session was closed.
        cpu, cpu_most: CPU time of a run on the CPU: of one item, of the largest batch.
        gpu, gpu_most: the same on the card, from call to return; for a simulated card on the CPU, from call to return.
        load, load_cpu: until every shape has run, and its CPU time.
        unload: until the memory was free.
        date: when it was measured; `method`: how.
    """

    weights: NonNegativeInt
    peak: NonNegativeInt
    steady: NonNegativeInt
    kept: int = 0
    cpu: NonNegativeFloat
    cpu_most: NonNegativeFloat
    gpu: NonNegativeFloat
    gpu_most: NonNegativeFloat
    load: NonNegativeFloat
    load_cpu: NonNegativeFloat
    unload: NonNegativeFloat
    date: datetime
    method: str

    @model_validator(mode="after")
    def _peak_is_the_most(self) -> Measurement:
        if self.peak < max(self.weights, self.steady):
            raise ValueError("peak must not be less than weights or steady")
        return self


class _Stored(_Record):
    key: Key
    measurement: Measurement


def read(model: InstalledModel, key: Key) -> Measurement | None:
    """What was measured for this key; None: nothing. A damaged file is as good as none, and said once."""
    file = _file(model, key)
    try:
        stored = _Stored.model_validate_json(file.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        log.warning(
            "a profile is damaged: measure it again", model=model.tag, file=file.name, error=type(error).__name__
        )
        return None
    return stored.measurement if stored.key == key else None


def write(model: InstalledModel, key: Key, measurement: Measurement) -> None:
    """Keep it, in place of what was measured for this key before."""
    file = _file(model, key)
    file.parent.mkdir(exist_ok=True)
    text = _Stored(key=key, measurement=measurement).model_dump_json(indent=2)
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=file.parent, suffix=".part", delete=False) as part:
        try:
            part.write(text + "\n")
            part.flush()
            os.fsync(part.fileno())
            Path(part.name).replace(file)
        except BaseException:
            Path(part.name).unlink(missing_ok=True)
            raise


def _file(model: InstalledModel, key: Key) -> Path:
    """Named after the card for people, after the whole key for the machine."""
    card = "".join(letter if letter.isalnum() else "-" for letter in key.device.lower())
    number = hashlib.sha256(key.model_dump_json().encode()).hexdigest()[:8]
    return model.path.parent / "profiles" / f"{card}-{number}.json"
