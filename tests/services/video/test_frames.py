"""Decoding and its counters, in this process (checks G); hostile files are small and the bounds smaller."""

from __future__ import annotations

import io
import socket
import time
from collections.abc import Callable
from contextlib import nullcontext, suppress
from dataclasses import replace
from itertools import pairwise
from typing import Any

import av
import numpy as np
import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from facesocial.errors import VideoTooLarge, VideoUnreadable
from services.video.container import Container
from services.video.frames import Picture, open_video, read_frames
from services.video.messages import Bounds
from tests.services.video.test_container import PLAYLIST
from tests.videos import at, claiming, encrypted, growing, lasting, tracks, turned, video, with_sound

pytestmark = pytest.mark.unit

BOUNDS = Bounds(pixels=9_437_184, side_min=16, side_max=8192, frames=1000, seconds=60, decode_s=60, memory=1 << 30)


def frames(
    data: bytes, container: Container = "mp4", bounds: Bounds = BOUNDS, fps: float | None = None
) -> list[Picture]:
    return list(take([], data, container, bounds, fps))


def take(
    seen: list[Picture], data: bytes, container: Container = "mp4", bounds: Bounds = BOUNDS, fps: float | None = None
) -> list[Picture]:
    """Appends what is decoded, so that a caller has what came before an error."""
    with open_video(io.BytesIO(data), container, bounds) as opened:
        seen.extend(read_frames(opened, bounds, fps))
    return seen


@pytest.mark.parametrize(
    ("codec", "container"),
    [("h264", "mp4"), ("hevc", "mp4"), ("mpeg4", "mp4"), ("vp8", "webm"), ("vp9", "webm"), ("vp9", "mp4")],
)
def test_reads_what_phones_and_browsers_write(codec: str, container: Container) -> None:
    pictures = frames(video(codec, container), container)
    assert [picture.index for picture in pictures] == list(range(10))
    assert [picture.seconds for picture in pictures] == pytest.approx([number / 25 for number in range(10)], abs=1e-3)
    pixels = pictures[0].pixels.to_ndarray()
    assert pixels.shape == (48, 64, 3)
    left, right = pixels[:, :24].mean((0, 1)), pixels[:, 40:].mean((0, 1))
    np.testing.assert_allclose([left, right], [(0, 0, 200), (200, 0, 0)], atol=12)


def test_sound_is_left_alone() -> None:
    assert len(frames(with_sound())) == 10


@pytest.mark.parametrize(
    ("fps", "expected"), [(None, range(50)), (100, range(50)), (25, range(50)), (5, range(0, 50, 5))]
)
def test_gives_no_more_frames_a_second_than_asked(fps: float | None, expected: range) -> None:
    """And all of those at the video's own rate."""
    assert [picture.index for picture in frames(video(frames=50), fps=fps)] == list(expected)


def test_applies_no_rotation_that_is_none() -> None:
    """Quarters are told clockwise; a matrix that shears, or is empty, turns nothing."""
    assert frames(video())[0].rotation == 0
    assert frames(turned(video()))[0].rotation == 90
    assert frames(turned(video(), (0, -0x10000, 0, 0x10000, 0, 0, 0, 0, 0x40000000)))[0].rotation == 270
    assert frames(turned(video(), (-0x10000, 0, 0, 0, -0x10000, 0, 0, 0, 0x40000000)))[0].rotation == 180
    assert frames(turned(video(), (0x10000, 0x10000, 0, 0, 0x10000, 0, 0, 0, 0x40000000)))[0].rotation == 0
    assert frames(turned(video(), (0,) * 9))[0].rotation == 0


@pytest.mark.parametrize(
    ("missing", "called"),
    [((), False), (("io_open",), False), (("protocol_whitelist",), False), (("io_open", "protocol_whitelist"), True)],
)
def test_v1_a_file_may_not_name_others(monkeypatch: pytest.MonkeyPatch, missing: tuple[str, ...], called: bool) -> None:
    """V1: even if a playlist got past the first bytes, no connection reaches the canary; each barrier is enough."""
    opened: Any = av.open

    def without(file: Any, mode: str, container: str, options: dict[str, str], **others: Any) -> Any:
        assert {"io_open", "protocol_whitelist"} <= {*options, *others}
        options, others = ({k: v for k, v in of.items() if k not in missing} for of in (options, others))
        return opened(file, mode, container, options, timeout=0.5, **others)

    monkeypatch.setattr(av, "open", without)
    with socket.create_server(("127.0.0.1", 0)) as canary:
        canary.settimeout(0.2)
        text = PLAYLIST.format(f"http://127.0.0.1:{canary.getsockname()[1]}/a.ts")
        with pytest.raises(VideoUnreadable), open_video(io.BytesIO(text.encode()), "hls", BOUNDS):  # type: ignore[arg-type]
            pass
        with nullcontext() if called else pytest.raises(TimeoutError):
            canary.accept()[0].close()


@pytest.mark.parametrize(("width", "height"), [(16_000, 16_000), (7680, 7680), (16_000, 64)])
def test_v3_too_many_pixels_are_refused_from_the_header(width: int, height: int) -> None:
    """V3: before the first frame, in milliseconds, in little memory; the limit is in the message."""
    data, process = claiming(width, height), psutil.Process()
    before, started = process.memory_info().rss, time.perf_counter()
    with pytest.raises(VideoTooLarge, match=r"9\.43718 megapixels"), open_video(io.BytesIO(data), "webm", BOUNDS):
        pass
    assert time.perf_counter() - started < 0.5
    assert process.memory_info().rss - before < 20e6


def test_v3_a_frame_larger_than_its_header_is_not_decoded() -> None:
    """V3: the header says 320 × 288, the frame 16 000 × 16 000; FFmpeg itself has the limit."""
    data, process = claiming(16_000, 16_000, header=False), psutil.Process()
    before = process.memory_info().rss
    with pytest.raises(VideoUnreadable):
        frames(data, "webm")
    assert process.memory_info().rss - before < 20e6


def test_the_limit_of_pixels_is_inclusive() -> None:
    """Also where the codec stores more than it shows: 66 × 50 as 80 × 64."""
    assert len(frames(video(width=66, height=50), bounds=replace(BOUNDS, pixels=66 * 50, side_max=66))) == 10
    with pytest.raises(VideoTooLarge):
        frames(video(width=66, height=50), bounds=replace(BOUNDS, pixels=66 * 50 - 1, side_max=66))


def test_too_few_pixels_are_refused() -> None:
    with pytest.raises(VideoUnreadable, match="at least 64"):
        frames(video(), bounds=replace(BOUNDS, side_min=64))


@pytest.mark.parametrize("duration", [1, 2**31])
def test_v4_what_the_header_says_of_its_length_is_not_asked(duration: int) -> None:
    """V4: neither more nor fewer frames for it."""
    assert len(frames(lasting(video(), duration))) == 10


@pytest.mark.parametrize("rate", [25, 1_000_000])
def test_v4_frames_are_counted_as_they_come(rate: int) -> None:
    """V4: the header says one frame's time, or a million frames a second; those left out count too."""
    data, seen = lasting(video(frames=300, rate=rate), 1), list[Picture]()
    with pytest.raises(VideoTooLarge, match="more than 50 frames"):
        take(seen, data, bounds=replace(BOUNDS, frames=50))
    assert len(seen) == 50
    with pytest.raises(VideoTooLarge):
        frames(data, bounds=replace(BOUNDS, frames=50), fps=0.001)


def test_v4_seconds_are_counted_from_the_first_frame() -> None:
    """V4: up to the limit, and no further."""
    seen = list[Picture]()
    with pytest.raises(VideoTooLarge, match="longer than 60 s"):
        take(seen, at([0, 30, 60, 61, 62]))
    assert [picture.seconds for picture in seen] == [0, 30, 60]


def test_v4_the_size_may_change_within_the_limits() -> None:
    """V4: each frame comes as large as it is, up to the first that is too large."""
    seen = list[Picture]()
    with pytest.raises(VideoTooLarge, match="320×240"):
        take(seen, growing([(64, 48), (128, 96), (320, 240)]), "webm", replace(BOUNDS, pixels=128 * 96))
    assert [(picture.pixels.width, picture.pixels.height) for picture in seen] == [(64, 48), (128, 96)]
    with pytest.raises(VideoTooLarge, match="100 a side"):
        frames(growing([(64, 48), (128, 96)]), "webm", replace(BOUNDS, side_max=100))


UNREADABLE: dict[str, Callable[[], bytes]] = {
    "V5 a truncated index": lambda: video()[:-400],
    "V5 an index and no frames": lambda: video("vp8", "webm")[:400],
    "V5 only sound": lambda: with_sound(pictures=False),
    "V5 encrypted": encrypted,
    "V5 100 tracks": lambda: tracks(100),
    "another codec": lambda: video("mpeg2video"),
    "an unknown codec": lambda: video().replace(b"avc1", b"zzzz"),
    "only its first box": lambda: video()[:32],
    "frames of zeros": lambda: video()[:48] + bytes(600) + video()[648:],
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_cannot_be_read_is_said(name: str) -> None:
    """V5: and the message tells nothing about us."""
    data = UNREADABLE[name]()
    with pytest.raises(VideoUnreadable) as caught:
        frames(data, "webm" if b"webm" in data[:64] else "mp4")
    assert not any(word in str(caught.value).lower() for word in ("pyav", "ffmpeg", "errno", "/"))


def test_v7_one_thread_decodes() -> None:
    """V7: FFmpeg's own choice is one for each core, and each holds frames."""
    with open_video(io.BytesIO(video()), "mp4", BOUNDS) as opened:
        assert opened.stream.codec_context.thread_count == 1
        before = psutil.Process().num_threads()
        assert all(psutil.Process().num_threads() <= before for _ in read_frames(opened, BOUNDS))


@given(st.data())
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
def test_whatever_comes_it_is_frames_or_an_error_of_ours(draw: st.DataObject) -> None:
    """Bits flipped in good files; few frames, so that the header has its share."""
    container: Container = draw.draw(st.sampled_from(["mp4", "webm"]))
    data = bytearray(video("mpeg4" if container == "mp4" else "vp8", container, 3))
    for place in draw.draw(st.lists(st.integers(64, len(data) - 1), min_size=1, max_size=8)):
        data[place] ^= draw.draw(st.integers(1, 255))
    seen = list[Picture]()
    with suppress(VideoTooLarge, VideoUnreadable):
        take(seen, bytes(data), container, replace(BOUNDS, pixels=20_000, frames=10))
    assert len(seen) <= 10
    assert all(later.seconds >= earlier.seconds for earlier, later in pairwise(seen))
