"""What the reader and its child say to each other: an order when it starts, then a line of JSON for each answer."""

from __future__ import annotations

import math
import resource
from dataclasses import dataclass
from typing import Annotated, Final, Literal

import msgspec

from services.video.container import Container

ROW: Final = 64
"""Bytes to which FFmpeg pads a row of pixels, at most."""

LINE: Final = 4096
"""Bytes of the longest answer."""

Count = Annotated[int, msgspec.Meta(ge=0)]
Rotation = Literal[0, 90, 180, 270]
Side = Annotated[int, msgspec.Meta(ge=1)]


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one video may bring and cost: `VideoSettings` without pydantic, which takes longer to import than FFmpeg."""

    pixels: int
    side_min: int
    side_max: int
    frames: int
    seconds: float
    decode_s: float
    """CPU seconds of the child, and as many of the reader's waiting for it."""
    memory: int
    """Address space of the child in bytes."""

    @property
    def room(self) -> int:
        """Bytes of the largest frame, uint8 BGR with padded rows."""
        return 3 * self.pixels + ROW * self.side_max

    def impose(self) -> None:
        """Bind the calling process: memory, CPU time, bytes of a file, open files; no core dump."""
        cpu = math.ceil(self.decode_s)
        resource.setrlimit(resource.RLIMIT_AS, (self.memory, self.memory))
        resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu + 1))  # SIGXCPU before SIGKILL
        resource.setrlimit(resource.RLIMIT_FSIZE, (self.room, self.room))
        resource.setrlimit(resource.RLIMIT_NOFILE, (32, 32))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


class Order(msgspec.Struct, frozen=True):
    """What the child shall do. `file` and `slot` are descriptors: the video, and where a frame's pixels go."""

    file: Count
    slot: Count
    container: Container
    fps: float | None
    bounds: Bounds


class Header(msgspec.Struct, frozen=True, tag=True):
    """The video is one we read; sides in pixels as stored."""

    codec: str
    width: Side
    height: Side


class Shot(msgspec.Struct, frozen=True, tag=True):
    """A frame lies in the slot: `height` rows of `stride` bytes, BGR, to be turned `rotation` degrees clockwise."""

    index: Count
    seconds: Annotated[float, msgspec.Meta(ge=0)]
    width: Side
    height: Side
    stride: Side
    rotation: Rotation


class End(msgspec.Struct, frozen=True, tag=True):
    """The video is over."""


class Failure(msgspec.Struct, frozen=True, tag=True):
    """Why nothing more comes."""

    code: Literal["video_too_large", "video_unreadable"]
    detail: Annotated[str, msgspec.Meta(max_length=200)]


Answer = Header | Shot | End | Failure
