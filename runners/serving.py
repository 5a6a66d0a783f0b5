"""The runners of one moment. A request keeps to one `Serving`, whatever is activated while it runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from facesocial.capabilities import Capability
from facesocial.errors import FaceSocialError, ModelNotInstalled
from runners.base import Runner
from runners.detection.base import DetectionRunner

AnyRunner: TypeAlias = DetectionRunner | Runner[Any]


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Serving:
    """What answers each capability at one generation of the aliases; of the others, why nothing does."""

    generation: int
    runners: Mapping[Capability, AnyRunner]
    missing: Mapping[Capability, FaceSocialError]

    def detector(self) -> DetectionRunner:
        """The runner of `face-detection`.

        Raises:
            ModelNotInstalled: nothing serves the alias.
        """
        runner = self._get(Capability.DETECTION)
        if not isinstance(runner, DetectionRunner):
            raise TypeError("the runner of face-detection detects nothing")
        return runner

    def of(self, capability: Capability) -> Runner[Any]:
        """The runner of a capability of faces.

        Raises:
            ModelNotInstalled: nothing serves the alias.
        """
        runner = self._get(capability)
        if isinstance(runner, DetectionRunner):
            raise TypeError(f"{capability.alias} is no capability of faces")
        return runner

    def has(self, capability: Capability) -> bool:
        """Whether a model serves the capability."""
        return capability in self.runners

    def _get(self, capability: Capability) -> AnyRunner:
        if capability not in self.runners:
            raise ModelNotInstalled(str(self.missing[capability]))
        return self.runners[capability]
