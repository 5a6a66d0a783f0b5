"""Frames of a video that lies in memory, decoded by a bounded child: a stranger's file may hang or end it."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import msgspec
import numpy as np
import structlog

from facesocial.configuration import MEBIBYTE, VideoSettings
from facesocial.errors import VideoTooLarge, VideoUnreadable, error_of
from facesocial.results import Image
from services.video.container import container_of
from services.video.messages import LINE, Answer, Bounds, End, Failure, Header, Order, Shot

CHILD: Final = "services.video.child"

NOISE: Final = 2000
"""Most bytes of a dead child's stderr in the log."""

TURNS: Final = {90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_COUNTERCLOCKWISE}

_INHERITED: Final = ("PATH", "LD_LIBRARY_PATH")  # the second, because some Pythons find their own library by it
_ROOT: Final = Path(__file__).resolve().parents[2]

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Frame:
    """`index` counts all frames of the video from 0, `seconds` those since the first; `image` is upright."""

    index: int
    seconds: float
    image: Image


class Video:
    """An open video: an asynchronous iterator of frames, for one consumer. Made by `VideoReader.open`.

    The child is one frame ahead, in the slot, and decodes no further until that one is taken.
    """

    def __init__(self, process: Process, slot: int, noise: int, bounds: Bounds) -> None:
        self._process, self._slot, self._noise, self._bounds = process, slot, noise, bounds
        self._left = bounds.decode_s
        self._over = False

    def __aiter__(self) -> Video:
        return self

    async def __anext__(self) -> Frame:
        """The next frame.

        Raises:
            VideoTooLarge: a bound was reached; the frames before it stand.
            VideoUnreadable: the rest cannot be decoded, or not in the time and memory it may take.
        """
        if self._over:
            raise StopAsyncIteration
        match answer := await self._hear():
            case Shot() if self._fits(answer):
                image = await asyncio.to_thread(self._take, answer)
                self._free_slot()
                return Frame(answer.index, answer.seconds, image)
            case End():
                self._over = True
                raise StopAsyncIteration
            case _:
                raise self._nonsense()

    async def read_header(self) -> Header:
        """What the file says of itself, before the first frame; once.

        Raises:
            VideoTooLarge: more pixels than the limit.
            VideoUnreadable: see `services.video.frames.open_video`.
        """
        header = await self._hear()
        if not isinstance(header, Header):
            raise self._nonsense()
        self._free_slot()
        return header

    def _free_slot(self) -> None:
        assert self._process.stdin  # noqa: S101 — a pipe was asked for
        self._process.stdin.write(b".")  # the child is waiting for it or gone: no need to drain

    async def _hear(self) -> Answer:
        assert self._process.stdout  # noqa: S101
        began = time.monotonic()
        try:
            async with asyncio.timeout(self._left):
                line = await self._process.stdout.readline()
                if not line:
                    raise await self._lost()
            answer: Answer = msgspec.json.decode(line, type=Answer)
        except TimeoutError:
            raise self._late() from None
        except ValueError as error:  # not JSON, not of ours, or without an end
            raise self._nonsense() from error
        self._left -= time.monotonic() - began
        if isinstance(answer, Failure):
            raise error_of(answer.code, answer.detail)
        return answer

    async def _lost(self) -> VideoUnreadable:
        """A file that ends its decoder is the caller's; the log says how, in case it was ours."""
        status = await self._process.wait()
        noise = os.pread(self._noise, NOISE, 0).decode(errors="replace")
        log.warning("video_child_lost", status=status, stderr=noise)
        return VideoUnreadable("the video cannot be decoded in the time and memory it may take")

    def _late(self) -> VideoUnreadable:
        return VideoUnreadable(f"the video takes longer than {self._bounds.decode_s:g} s to decode")

    def _nonsense(self) -> VideoUnreadable:
        log.warning("video_child_babbles")
        return VideoUnreadable("the video cannot be decoded")

    def _fits(self, shot: Shot) -> bool:
        """Whether it is within the bounds: the file may have taken the child over."""
        most, sides = self._bounds, (shot.width, shot.height)
        return (
            shot.width * shot.height <= most.pixels
            and most.side_min <= min(sides)
            and max(sides) <= most.side_max
            and 3 * shot.width <= shot.stride
            and shot.stride * shot.height <= most.room
        )

    def _take(self, shot: Shot) -> Image:
        rows = np.empty((shot.height, shot.stride), np.uint8)
        if os.preadv(self._slot, [rows.data], 0) != rows.nbytes:
            raise self._nonsense()
        image = np.ascontiguousarray(rows[:, : 3 * shot.width]).reshape(shot.height, shot.width, 3)
        return np.asarray(cv2.rotate(image, TURNS[shot.rotation]), np.uint8) if shot.rotation else image


class VideoReader:
    """Opens videos; each takes a process of its own while it is open."""

    def __init__(self, settings: VideoSettings) -> None:
        self._settings = settings
        self._bounds = Bounds(
            pixels=settings.pixels,
            side_min=settings.side_min,
            side_max=settings.side_max,
            frames=settings.frames,
            seconds=settings.seconds,
            decode_s=settings.decode_s,
            memory=settings.memory_mib * MEBIBYTE,
        )

    @asynccontextmanager
    async def open(self, data: bytes, fps: float | None = None) -> AsyncIterator[Video]:
        """Judge a video by content and header, then give its frames. Leaving the context ends the child.

        Args:
            data: the file. The child has a copy in memory; nothing is written to disk.
            fps: frames a second of the video to give at most, above 0; None: all.

        Raises:
            UnsupportedMediaType: neither MP4 nor WebM, by content.
            VideoTooLarge: more bytes than `file_bytes`, or more pixels than `pixels`.
            VideoUnreadable: no track that we read, or damaged.
        """
        if len(data) > self._settings.file_bytes:
            limit = f"{self._settings.file_bytes / MEBIBYTE:g} MiB"
            raise VideoTooLarge(f"the video has more bytes than the limit of {limit}")
        container = container_of(data)
        with _memory("video") as file, _memory("frame") as slot, _memory("noise") as noise:
            await _fill(file, data)
            order = Order(file, slot, container, fps, self._bounds)
            process = await _start(order, noise)
            try:
                video = Video(process, slot, noise, self._bounds)
                await video.read_header()
                yield video
            finally:
                await _end(process)


@contextmanager
def _memory(name: str) -> Iterator[int]:
    """A file that is memory; what a child wrote into it is only ever read, never mapped."""
    descriptor = os.memfd_create(name)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


async def _fill(descriptor: int, data: bytes) -> None:
    """In pieces, and not in a thread: one that outlived a cancelled call would write to whatever is there by then."""
    for start in range(0, len(data), MEBIBYTE):
        os.write(descriptor, memoryview(data)[start : start + MEBIBYTE])
        await asyncio.sleep(0)  # the others on this loop have their turn
    os.lseek(descriptor, 0, os.SEEK_SET)


async def _start(order: Order, noise: int) -> Process:
    """A new interpreter, not a fork: it has none of this process's memory, environment or descriptors."""
    inherited: Mapping[str, str] = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", CHILD, msgspec.json.encode(order).decode()),
        stdin=PIPE,
        stdout=PIPE,
        stderr=noise,
        limit=LINE,
        pass_fds=(order.file, order.slot),
        env={**inherited, "PYTHONPATH": str(_ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
        cwd="/",
        start_new_session=True,
    )


async def _end(process: Process) -> None:
    if process.returncode is None:
        with suppress(ProcessLookupError):  # it went meanwhile
            process.kill()
    await process.communicate()  # what is left in the pipe would keep its end open
