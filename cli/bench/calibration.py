"""What a network sees of a folder of pictures in service: the input of quantisation. Held in memory alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import cv2

from cli.bench.accuracy import open_picture
from facesocial.capabilities import Capability, Task
from facesocial.configuration import CpuSettings
from facesocial.errors import DeviceError, FaceSocialError, InputError, ModelNotInstalled
from models.store import InstalledModel
from runners.library import RunnerLibrary, local_builder
from runners.quantisation import Sample
from services.pipeline.pipeline import Pipeline
from vram_policy import CpuArbiter, Lease, Loadable, Session
from vram_policy.lease import Array

SAMPLES: Final = 256
"""Most inputs kept: ranges settle long before."""

MEMORY: Final = 512 << 20
"""Most bytes kept: a detector's canvas has 5 MB."""

Ensemble = Mapping[Capability, InstalledModel]
"""The model of each capability, whatever the aliases say."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """A library in which exactly these models serve, see `runners.library.Models`."""

    models: Ensemble

    def resolve(self, capability: Capability) -> InstalledModel:
        """The model, or ModelNotInstalled."""
        if capability not in self.models:
            raise ModelNotInstalled(f"{capability.alias} is not among the chosen")
        return self.models[capability]

    def generation(self) -> int:
        """It never changes."""
        return 0


@dataclass(slots=True)
class Recorder:
    """An arbiter on the CPU that keeps what the network of this tag is given."""

    tag: str
    samples: list[Sample] = field(default_factory=list)
    _arbiter: CpuArbiter = field(default_factory=CpuArbiter)

    @property
    def full(self) -> bool:
        """Whether more is of no use, or too much to hold."""
        return len(self.samples) >= SAMPLES or sum(a.nbytes for sample in self.samples for a in sample) >= MEMORY

    def lease(self, model: Loadable, rows: int = 1) -> Lease:
        """See `vram_policy.Arbiter`."""
        lease = self._arbiter.lease(model, rows)
        return Lease(_Tap(lease.session, self.samples), lease.device) if model.tag == self.tag else lease

    def failover(self, lease: Lease, error: DeviceError) -> Lease:
        """See `vram_policy.Arbiter`."""
        return self._arbiter.failover(lease, error)

    def retire(self, tag: str) -> None:
        """See `vram_policy.Arbiter`."""
        self._arbiter.retire(tag)


@dataclass(frozen=True, slots=True)
class _Tap:
    """A session that keeps its inputs, item by item."""

    session: Session
    samples: list[Sample]

    def run(self, inputs: Sequence[Array]) -> dict[str, Array]:
        """See `vram_policy.Session`."""
        self.samples.extend(tuple(array[item : item + 1] for array in inputs) for item in range(len(inputs[0])))
        return self.session.run(inputs)

    def close(self) -> None:
        """See `vram_policy.Session`."""
        self.session.close()


def pipeline(models: Ensemble, arbiter: CpuArbiter | Recorder | None = None) -> Pipeline:
    """The pipeline of the service on these models."""
    cv2.setNumThreads(1)
    cpu = CpuSettings()
    return Pipeline(RunnerLibrary(Chosen(models), local_builder(arbiter or CpuArbiter(), cpu)), cpu.requests)


def record(models: Ensemble, capability: Capability, files: Sequence[Path]) -> list[Sample]:
    """Inputs of one network, in the order of the files; those that are no picture are passed over.

    Raises:
        FaceSocialError: there is no picture among them.
    """
    recorder = Recorder(models[capability].tag)
    tasks = [task for task in Task if task.capability is capability]
    eyes, seen = pipeline(models, recorder), 0
    for file in files:
        if recorder.full:
            break
        try:
            eyes.analyze(open_picture(file.read_bytes()), tasks)
        except InputError:
            continue
        seen += 1
    eyes.close()
    if not seen:
        raise FaceSocialError("there is no picture to calibrate with: it takes JPEG, PNG or WebP files")
    return recorder.samples


def pictures(folder: Path) -> list[Path]:
    """Every file below the folder, by name; what is no picture shows when it is opened."""
    return sorted(path for path in folder.rglob("*") if path.is_file())
