"""Models, and runners that do what they are told, so that lifecycles need no weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from facesocial.capabilities import Capability
from facesocial.errors import ModelNotInstalled
from facesocial.results import Face, Image
from models.catalogue import load_catalogue
from models.spec import ModelSpec
from models.store import InstalledModel
from runners.base import Outcome, Views
from runners.crops import Crop, SquareCrop
from runners.detection.base import DetectionRunner
from runners.detection.yunet import YuNet
from runners.serving import AnyRunner

SPECS = {spec.capability: spec for spec in load_catalogue().pack("permissive")}


class FakeModels:
    """Aliases in memory: every capability serves `<capability>:1` until told otherwise."""

    def __init__(self) -> None:
        self.tags: dict[Capability, str] = {capability: f"{capability.value}:1" for capability in Capability}
        self.number = 1

    def activate(self, capability: Capability, tag: str | None) -> None:
        """None: nothing serves it."""
        self.tags = {**self.tags, capability: tag} if tag else {c: t for c, t in self.tags.items() if c != capability}
        self.number += 1

    def generation(self) -> int:
        """How often something was activated."""
        return self.number

    def resolve(self, capability: Capability) -> InstalledModel:
        """The model, which has no file."""
        if capability not in self.tags:
            raise ModelNotInstalled(f"no model serves {capability.alias}; `facesocial models pull` installs one")
        return InstalledModel(SPECS[capability], self.tags[capability], Path("/nowhere"), "0" * 64)


@dataclass
class FakeRunner:
    """Answers its tag for each face; counts, and does `first` before."""

    tag: str
    spec: ModelSpec
    first: Callable[[], object] = lambda: None
    runs: int = 0
    retired: int = 0
    crops: tuple[Crop, ...] = (SquareCrop(1.0, (8, 8)),)

    @property
    def adapter(self) -> FakeRunner:
        """It is its own adapter."""
        return self

    def place(self, result: Any, face: Face) -> Any:
        """As it is."""
        return result

    def run(self, faces: Sequence[Views]) -> Outcome[Any]:
        """The tag, once a face."""
        self.first()
        self.runs += 1
        return Outcome((self.tag,) * len(faces), "cpu")

    def retire(self) -> None:
        """Count."""
        self.retired += 1


class FakeDetector(DetectionRunner):
    """Finds one face in the middle of every canvas."""

    def __init__(self, tag: str, first: Callable[[], object]) -> None:
        self.adapter = YuNet(SPECS[Capability.DETECTION])
        self.tag = tag
        self.first = first
        self.runs = self.retired = 0

    def find(self, board: Image, min_score: float, max_faces: int) -> Outcome[Face]:
        """Half as large as the canvas."""
        self.first()
        self.runs += 1
        height, width = board.shape[:2]
        box = np.array([width / 4, height / 4, width * 3 / 4, height * 3 / 4]).tolist()
        return Outcome((Face(tuple(box), 0.9, None),), "cpu")

    def retire(self) -> None:
        """Count."""
        self.retired += 1


@dataclass
class FakeBuilder:
    """Makes fakes and remembers them by tag; `broken` maps a tag to what its runs do first."""

    broken: dict[str, Callable[[], object]] = field(default_factory=dict)
    built: dict[str, Any] = field(default_factory=dict)

    def __call__(self, installed: InstalledModel) -> AnyRunner:
        """See `runners.library.Builder`."""
        tag = installed.tag

        def first() -> object:
            return self.broken.get(tag, lambda: None)()

        if installed.spec.capability is Capability.DETECTION:
            self.built[tag] = FakeDetector(tag, first)
        else:
            self.built[tag] = FakeRunner(tag, installed.spec, first)
        runner: AnyRunner = self.built[tag]
        return runner
