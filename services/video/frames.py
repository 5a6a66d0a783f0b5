"""Decodes a video. Runs in the child alone: what comes in is a stranger's, and FFmpeg is a large surface."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO, Final, NoReturn, cast

import av
from av.container import InputContainer
from av.error import FFmpegError
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream

from facesocial.errors import VideoTooLarge, VideoUnreadable
from services.video.container import Container
from services.video.messages import Bounds, Rotation

CODECS: Final[dict[Container, frozenset[str]]] = {
    "mp4": frozenset({"h264", "hevc", "mpeg4", "av1", "vp9"}),
    "webm": frozenset({"vp8", "vp9", "av1"}),
}
"""What phones and browsers write; FFmpeg's other 400 decoders stay out of reach."""

DECODERS: Final = ",".join(sorted({*frozenset.union(*CODECS.values()), "libdav1d"}))

TRACKS: Final = 16
"""Most tracks of a file: pictures, sound in some languages, subtitles, a telephone's sensors."""

ROUNDING: Final = 1e-6
"""So that 0.56 s × 12.5 a second are 7 frames, not 6.999…"""

ROTATIONS: Final[dict[int, Rotation]] = {0: 0, 90: 90, 180: 180, 270: 270}

BROKEN: Final = (FFmpegError, MemoryError)


@dataclass(frozen=True, slots=True)
class Opened:
    """A video whose header has passed; nothing is decoded yet."""

    container: InputContainer
    stream: VideoStream

    @property
    def codec(self) -> str:
        """Its name, whichever decoder reads it; empty where FFmpeg has none."""
        context: VideoCodecContext | None = cast("VideoCodecContext | None", self.stream.codec_context)
        return context.codec.canonical_name if context else ""


@dataclass(frozen=True, slots=True)
class Picture:
    """A decoded frame: `pixels` as stored, BGR, to be turned `rotation` (0, 90, 180, 270) degrees clockwise.

    `index` counts all frames from 0, `seconds` those since the first one.
    """

    index: int
    seconds: float
    pixels: VideoFrame
    rotation: Rotation


@contextmanager
def open_video(file: BinaryIO, container: Container, bounds: Bounds) -> Iterator[Opened]:
    """Open a video and judge its header.

    Raises:
        VideoTooLarge: more pixels than `bounds.pixels`, or a side above `bounds.side_max`.
        VideoUnreadable: the header is damaged, there is no video track or too many tracks, the codec is not one of
            ours, or a side is below `bounds.side_min`.
    """
    options = {
        "protocol_whitelist": "",
        "codec_whitelist": DECODERS,
        "max_streams": str(TRACKS),
        **_allowance(bounds),  # FFmpeg decodes a frame or two to learn what the header leaves out
    }
    try:
        opened = av.open(file, "r", container, options, metadata_errors="replace", io_open=_refuse)
    except BROKEN as error:
        raise VideoUnreadable("the video's header is damaged, cut short, or has far too many tracks") from error
    with opened:
        stream = opened.streams.best("video")
        if not isinstance(stream, VideoStream):
            raise VideoUnreadable("there is no video track")
        video = Opened(opened, stream)
        if video.codec not in CODECS[container]:
            raise VideoUnreadable(f"expected one of these codecs: {', '.join(sorted(CODECS[container]))}")
        _check_size(stream.codec_context.width, stream.codec_context.height, bounds)
        stream.codec_context.thread_count = 1  # by default as many as there are cores, each with frames of its own
        stream.codec_context.options = _allowance(bounds)
        yield video


def read_frames(video: Opened, bounds: Bounds, fps: float | None = None) -> Iterator[Picture]:
    """Decode a video to its end, or to its bounds. What it says of its length is not asked.

    Args:
        video: from `open_video`.
        bounds: counted here, frame by frame.
        fps: give the first frame of each 1/fps seconds; None: all.

    Raises:
        VideoTooLarge: more frames, seconds or, in the middle, pixels than the bounds.
        VideoUnreadable: the stream is damaged or encrypted, or holds no frame.
    """
    reformatter, first, seconds, last, index = VideoReformatter(), 0.0, 0.0, -1, -1
    for index, frame in enumerate(_decode(video)):
        if index >= bounds.frames:
            raise VideoTooLarge(f"the video has more than {bounds.frames} frames")
        _check_size(frame.width, frame.height, bounds)
        time = first if frame.pts is None else frame.time
        first = time if index == 0 else first
        seconds = max(seconds, time - first)  # time does not run backwards
        if seconds > bounds.seconds:
            raise VideoTooLarge(f"the video is longer than {bounds.seconds:g} s")
        interval = index if fps is None else int(seconds * fps + ROUNDING)
        if interval > last:
            last = interval
            yield Picture(index, seconds, _to_bgr(reformatter, frame), _rotation(frame))
    if index < 0:
        raise VideoUnreadable("the video holds no frame")


def _decode(video: Opened) -> Iterator[VideoFrame]:
    try:
        for packet in video.container.demux(video.stream):
            if packet.has_sidedata("encryption_info"):  # decoders make a mess of it rather than an error
                raise VideoUnreadable("the video is encrypted")
            yield from packet.decode()
    except BROKEN as error:
        raise VideoUnreadable("the video is damaged, cut short or encrypted") from error


def _to_bgr(reformatter: VideoReformatter, frame: VideoFrame) -> VideoFrame:
    try:
        return reformatter.reformat(frame, format="bgr24", threads=1)
    except (*BROKEN, ValueError) as error:  # ValueError: colours that cannot be converted
        raise VideoUnreadable("the video's colours cannot be read") from error


def _rotation(frame: VideoFrame) -> Rotation:
    """Telephones store what the sensor saw and say how it was held; FFmpeg's angle is counterclockwise."""
    return ROTATIONS.get(-frame.rotation % 360, 0)


def _check_size(width: int, height: int, bounds: Bounds) -> None:
    if width * height > bounds.pixels or max(width, height) > bounds.side_max:
        limit = f"{bounds.pixels / 1e6:g} megapixels, {bounds.side_max} a side"
        raise VideoTooLarge(f"{width}×{height} pixels; the limit is {limit}")
    if min(width, height) < bounds.side_min:
        raise VideoUnreadable(f"{width}×{height} pixels; each side must be at least {bounds.side_min}")


def _allowance(bounds: Bounds) -> dict[str, str]:
    """FFmpeg's own limit, of frames as coded: up to 64 pixels a side more than they show."""
    return {"max_pixels": str(bounds.pixels + 2 * 64 * bounds.side_max)}


def _refuse(url: str, flags: int, options: Mapping[str, str]) -> NoReturn:  # noqa: ARG001 — PyAV's signature
    raise VideoUnreadable("a video may not name other files")
