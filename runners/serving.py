"""The runners of one moment. A request keeps to one `Serving`, whatever is activated while it runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from facesocial.capabilities import Capability
from facesocial.errors import FaceSocialError, ModelNotInstalled, NotReady
from runners.base import Runner
from runners.detection.base import DetectionRunner

AnyRunner: TypeAlias = DetectionRunner | Runner[Any]


@dataclass(frozen=True, slots=True)
class Reason:
    """Why nothing serves a capability: code and words of an error, without the frames that an error holds on to."""

    code: str
    detail: str

    @classmethod
    def of(cls, error: FaceSocialError) -> Reason:
        """What is known of it."""
        return cls(error.code, error.detail)

    @property
    def passing(self) -> bool:
        """Whether it goes away by itself: a process that is being started."""
        return self.code == NotReady.code

    def error(self) -> FaceSocialError:
        """For the caller."""
        return NotReady(self.detail) if self.passing else ModelNotInstalled(self.detail)


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Serving:
    """What answers each capability at one generation of the aliases; of the others, why nothing does."""

    generation: int
    runners: Mapping[Capability, AnyRunner]
    missing: Mapping[Capability, Reason]

    def detector(self) -> DetectionRunner:
        """The runner of `face-detection`.

        Raises:
            ModelNotInstalled: nothing serves the alias.
            NotReady: its process is being started.
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
            raise self.missing[capability].error()
        return self.runners[capability]
