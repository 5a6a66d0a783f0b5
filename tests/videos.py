"""Videos made to order with PyAV: small good ones, and what hostile ones are made from (checks G)."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterable, Sequence
from fractions import Fraction
from functools import cache
from typing import Final

import av
import numpy as np
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

ENCODERS: Final = {"h264": "libx264", "hevc": "libx265", "vp8": "libvpx", "vp9": "libvpx-vp9", "av1": "libsvtav1"}
OPTIONS: Final = {"h264": {"preset": "ultrafast"}, "hevc": {"preset": "ultrafast", "x265-params": "log-level=none"}}

QUARTER_TURN: Final = (0, 0x10000, 0, -0x10000, 0, 0, 0, 0, 0x40000000)
"""A telephone held upright: show the picture turned 90° clockwise."""


def picture(width: int, height: int, time: int) -> VideoFrame:
    """Red on the left, blue on the right; a little green that changes with the time."""
    pixels = np.full((height, width, 3), time % 64, np.uint8)
    pixels[:, : width // 2, 2] = pixels[:, width // 2 :, 0] = 200
    frame = VideoFrame.from_ndarray(pixels, "bgr24").reformat(format="yuv420p")
    frame.pts = time
    return frame


@cache
def video(
    codec: str = "h264", container: str = "mp4", frames: int = 10, width: int = 64, height: int = 48, rate: int = 25
) -> bytes:
    """`frames` frames at `rate` a second."""
    return _video(codec, container, range(frames), (width, height), rate)


def encrypted() -> bytes:
    """As `video()`, under a key that nobody has."""
    key = {"encryption_key": "01" * 16, "encryption_kid": "23" * 16}
    return _video("h264", "mp4", range(10), (64, 48), 25, encryption_scheme="cenc-aes-ctr", **key)


def at(times: Iterable[int]) -> bytes:
    """A frame at each of the times, in seconds."""
    return _video("mpeg4", "mp4", times, (64, 48), 1)


def growing(sizes: Sequence[tuple[int, int]]) -> bytes:
    """VP8 that changes its size from frame to frame."""
    file = io.BytesIO()
    with av.open(file, "w", "webm") as output:
        stream = output.add_stream("libvpx", 25)
        for number, (width, height) in enumerate(sizes):
            encoder = stream.codec_context if number == 0 else VideoCodecContext.create("libvpx", "w")
            encoder.width, encoder.height, encoder.pix_fmt, encoder.framerate = width, height, "yuv420p", Fraction(25)
            encoder.time_base = Fraction(1, 25)
            for packet in [*encoder.encode(picture(width, height, number)), *encoder.encode(None)]:
                packet.stream = stream
                output.mux(packet)
    return file.getvalue()


def tracks(count: int) -> bytes:
    """So many tracks of one frame each."""
    file = io.BytesIO()
    with av.open(file, "w", "mp4") as container:
        streams = [container.add_stream("mpeg4", 25) for _ in range(count)]
        for stream in streams:
            stream.width = stream.height = 16
            stream.pix_fmt = "yuv420p"
        for stream in streams:
            container.mux([*stream.encode(picture(16, 16, 0)), *stream.encode()])
    return file.getvalue()


def with_sound(pictures: bool = True) -> bytes:
    """A second of silence, with ten frames or none."""
    file = io.BytesIO()
    with av.open(file, "w", "mp4") as container:
        stream = container.add_stream("mpeg4", 25) if pictures else None
        sound = container.add_stream("aac", 8000, layout="mono")
        if stream:
            stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
            for number in range(10):
                container.mux(stream.encode(picture(64, 48, number)))
            container.mux(stream.encode())
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.float32), "fltp", "mono")
        silence.sample_rate = 8000
        container.mux([*sound.encode(silence), *sound.encode()])
    return file.getvalue()


def claiming(width: int, height: int, header: bool = True) -> bytes:
    """WebM whose first VP8 frame, and perhaps its header, say another size: few bytes, many pixels."""
    data = video("vp8", "webm", 3, 320, 288)
    places = [(data.index(b"\x9d\x01\x2a") + 3, struct.pack("<HH", width, height))]
    if header:
        places += [(data.index(b"\xb0\x82\x01\x40") + 2, struct.pack(">H", width))]
        places += [(data.index(b"\xba\x82\x01\x20") + 2, struct.pack(">H", height))]
    for place, content in places:
        data = data[:place] + content + data[place + len(content) :]
    return data


def turned(data: bytes, matrix: tuple[int, ...] = QUARTER_TURN) -> bytes:
    """The MP4 with another display matrix in its track header."""
    start = data.index(b"tkhd") + 44
    return data[:start] + struct.pack(">9i", *matrix) + data[start + 36 :]


def lasting(data: bytes, duration: int) -> bytes:
    """The MP4, whose three headers claim another duration, in their units."""
    for box, offset in ((b"mvhd", 20), (b"tkhd", 24), (b"mdhd", 20)):
        start = data.index(box) + offset
        data = data[:start] + struct.pack(">I", duration) + data[start + 4 :]
    return data


def _video(codec: str, container: str, times: Iterable[int], size: tuple[int, int], rate: int, **options: str) -> bytes:
    file, encoder = io.BytesIO(), ENCODERS.get(codec, codec)
    with av.open(file, "w", container, options) as output:
        stream = output.add_stream(encoder, rate, OPTIONS.get(codec, {}))
        assert isinstance(stream, VideoStream)
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        for time in times:
            output.mux(stream.encode(picture(*size, time)))
        output.mux(stream.encode())
    return file.getvalue()
