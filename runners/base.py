"""How a network is run: pre → lease and core → post. Only the core holds the lease."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeAlias, TypeVar

from facesocial.results import Face, Image
from models.spec import ModelSpec
from runners.core import Core
from runners.crops import Crop
from runners.tensors import to_nchw
from vram_policy.lease import Array

Result = TypeVar("Result")
Views: TypeAlias = tuple[Image, ...]
"""What one network sees of one face: a crop per rule in `FaceAdapter.crops`."""


@dataclass(frozen=True, slots=True)
class Outcome(Generic[Result]):
    """`results` in the order of the items; `device` is where the network really ran."""

    results: tuple[Result, ...]
    device: str


class FaceAdapter(ABC, Generic[Result]):
    """What one architecture wants to see of a face and how its output reads. Pure: no session, no state."""

    crops: tuple[Crop, ...]

    def __init__(self, spec: ModelSpec) -> None:
        self.spec = spec

    def pre(self, batch: Sequence[Views]) -> Sequence[Array]:
        """Crops of n faces → one array per input of the network, n in the first dimension: an input per crop rule."""
        return [to_nchw(crops, self.spec.preprocessing) for crops in zip(*batch, strict=True)]

    @abstractmethod
    def post(self, outputs: Mapping[str, Array]) -> Sequence[Result]:
        """The network's outputs → n results."""

    def place(self, result: Result, face: Face) -> Result:  # noqa: ARG002 — for adapters whose results have coordinates
        """Move a result from the pixels of the crop to those of the picture."""
        return result


class Sight(Protocol[Result]):
    """What a runner wants to see of a face, and where its results belong."""

    @property
    def spec(self) -> ModelSpec:
        """The catalogue's entry."""
        ...

    @property
    def crops(self) -> tuple[Crop, ...]:
        """One rule per picture in `Views`."""
        ...

    def place(self, result: Result, face: Face) -> Result:
        """Move a result from the pixels of the crop to those of the picture."""
        ...


class Runner(Protocol[Result]):
    """One capability of faces on one model, in this process or another."""

    @property
    def tag(self) -> str:
        """Name and digest of the model."""
        ...

    @property
    def adapter(self) -> Sight[Result]:
        """What it wants to see."""
        ...

    def run(self, faces: Sequence[Views]) -> Outcome[Result]:
        """Results for all faces, in their order."""
        ...

    def retire(self) -> None:
        """Give back what it holds: nobody will run it again."""
        ...


class FaceRunner(Generic[Result]):
    """One capability of faces on one model in this process. Graphs with a fixed batch run one by one."""

    def __init__(self, adapter: FaceAdapter[Result], tag: str, core: Core, batch: int) -> None:
        self.adapter = adapter
        self.tag = tag
        self._core = core
        self._batch = batch if adapter.spec.dynamic_batch else 1

    def run(self, faces: Sequence[Views]) -> Outcome[Result]:
        """Results for all faces, in batches the memory is sized for."""
        results: list[Result] = []
        device = ""
        for batch in _chunks(faces, self._batch):
            computed = self._core.run(self.adapter.pre(batch))
            results.extend(self.adapter.post(computed.outputs))
            device = computed.device
        return Outcome(tuple(results), device)

    def retire(self) -> None:
        """See `Runner.retire`."""
        self._core.retire()


def _chunks(items: Sequence[Views], size: int) -> Iterator[Sequence[Views]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
