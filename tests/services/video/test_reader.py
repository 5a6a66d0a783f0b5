"""The reader and its child: real processes, stopped and killed as hostile files would."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from facesocial.configuration import VideoSettings
from facesocial.errors import UnsupportedMediaType, VideoTooLarge, VideoUnreadable
from services.video.messages import Bounds
from services.video.reader import Frame, Video, VideoReader
from tests.services.video.test_container import PLAYLIST, SDP
from tests.videos import claiming, encrypted, turned, video

ROOT = Path(__file__).parents[3]
READER = VideoReader(VideoSettings())


async def read(data: bytes, reader: VideoReader = READER, fps: float | None = None) -> list[Frame]:
    async with reader.open(data, fps) as opened:
        return [frame async for frame in opened]


def child(opened: Video) -> psutil.Process:
    return psutil.Process(opened._process.pid)


def children() -> list[psutil.Process]:
    return [process for process in psutil.Process().children() if "services.video.child" in process.cmdline()]


@pytest.mark.integration
async def test_gives_frames_upright_in_order() -> None:
    """And leaves neither a process nor a descriptor."""
    await read(video())  # the first one opens what the event loop keeps
    before = psutil.Process().num_fds()
    frames = await read(turned(video(width=66)))
    assert [(frame.index, round(frame.seconds, 2)) for frame in frames] == [(n, n / 25) for n in range(10)]
    image = frames[0].image
    assert image.shape == (66, 48, 3)
    assert image.dtype == np.uint8
    assert image.flags.c_contiguous
    np.testing.assert_allclose(image[:24].mean((0, 1)), (0, 0, 200), atol=12)  # left is up, a quarter clockwise
    np.testing.assert_allclose(image[42:].mean((0, 1)), (200, 0, 0), atol=12)
    assert not children()
    assert psutil.Process().num_fds() <= before


@pytest.mark.integration
async def test_gives_the_frames_of_real_clips(data: Path) -> None:
    """Two a second; MP4s of a camera, and H.264 in a Matroska that is no WebM."""
    for file in sorted((data / "video").glob("*.mp4")):
        frames = await read(file.read_bytes(), fps=2)
        assert len(frames) == int(frames[-1].seconds * 2) + 1
        assert {frame.image.shape for frame in frames} == {(270, 480, 3)}
        assert all(frame.image.std() > 20 for frame in frames)
    with pytest.raises(UnsupportedMediaType):
        await read((data / "video" / "asl_bird.mkv").read_bytes())


@pytest.mark.unit
@pytest.mark.parametrize("scheme", ["http://127.0.0.1:{}/a.ts", "file:///etc/passwd", "concat:/etc/passwd|/etc/hosts"])
async def test_v1_playlists_are_refused_by_content(scheme: str) -> None:
    """V1: no child, no connection."""
    with socket.create_server(("127.0.0.1", 0)) as canary:
        canary.setblocking(False)
        with pytest.raises(UnsupportedMediaType):
            await read(PLAYLIST.format(scheme.format(canary.getsockname()[1])).encode())
        with pytest.raises(BlockingIOError):
            canary.accept()


@pytest.mark.unit
async def test_v2_sdp_is_refused_at_once() -> None:
    """V2: under 50 ms, no socket, no child."""
    before, started = psutil.Process().num_fds(), time.perf_counter()
    with pytest.raises(UnsupportedMediaType):
        await read(SDP.encode())
    assert time.perf_counter() - started < 0.050
    assert psutil.Process().num_fds() == before


@pytest.mark.unit
async def test_too_many_bytes_are_refused_unread() -> None:
    with pytest.raises(VideoTooLarge, match=r"limit of 0\.000976562 MiB"):
        await read(video(), VideoReader(VideoSettings(file_bytes=1024)))


@pytest.mark.integration
async def test_v3_v5_errors_of_the_header_come_when_it_is_opened() -> None:
    """V3, V5: they cross from the child as they are; of the encrypted one it takes the first frame."""
    with pytest.raises(VideoTooLarge, match="16000×16000"):
        async with READER.open(claiming(16_000, 16_000)):
            pass
    with pytest.raises(VideoUnreadable, match="damaged"):
        async with READER.open(video()[:-400]):
            pass
    with pytest.raises(VideoUnreadable, match="encrypted"):
        await read(encrypted())
    assert not children()


@pytest.mark.integration
async def test_v4_bounds_end_the_reading_and_the_frames_before_stand() -> None:
    """V4: frames; seconds are counted by the same hand."""
    async with VideoReader(VideoSettings(frames=5)).open(video()) as opened:
        seen = [(await anext(opened)).index for _ in range(5)]
        with pytest.raises(VideoTooLarge, match="more than 5 frames"):
            await anext(opened)
    assert seen == [0, 1, 2, 3, 4]


@pytest.mark.integration
async def test_v4_v6_a_child_that_hangs_is_killed() -> None:
    """V4, V6: after `decode_s` seconds of waiting for it, and the worker reads the next video."""
    async with VideoReader(VideoSettings(decode_s=2)).open(video(frames=100)) as opened:
        process = child(opened)
        await anext(opened)
        process.suspend()
        started = time.monotonic()
        with pytest.raises(VideoUnreadable, match="longer than 2 s"):
            [frame async for frame in opened]  # one may be in the slot
        assert time.monotonic() - started < 2.5
    assert not process.is_running()
    assert len(await read(video())) == 10


@pytest.mark.integration
@pytest.mark.parametrize("end", [signal.SIGSEGV, signal.SIGKILL, signal.SIGXCPU])
async def test_v6_a_child_that_crashes_is_an_unreadable_video(end: signal.Signals) -> None:
    """V6: decoder's fault, out of memory, CPU time; the worker lives."""
    async with READER.open(video(frames=100)) as opened:
        await anext(opened)
        os.kill(opened._process.pid, end)
        with pytest.raises(VideoUnreadable):
            [frame async for frame in opened]
    assert len(await read(video())) == 10


@pytest.mark.integration
async def test_v6_a_frame_that_needs_more_than_its_memory_is_unreadable() -> None:
    """V6: 33 megapixels in 256 MiB; where there is more, it is read."""
    data = video(frames=1, width=7680, height=4320)
    with pytest.raises(VideoUnreadable):
        await read(data, VideoReader(VideoSettings(pixels=40_000_000, memory_mib=256)))
    assert len(await read(data, VideoReader(VideoSettings(pixels=40_000_000, memory_mib=2048)))) == 1


@pytest.mark.integration
async def test_a_consumer_that_leaves_takes_the_child_with_it() -> None:
    """By a break, an error of its own, or by being cancelled while it waits."""
    async with READER.open(video(frames=100)) as opened:
        process = child(opened)
        async for _ in opened:
            break
    assert not process.is_running()
    with pytest.raises(ZeroDivisionError):
        async with READER.open(video()):
            raise ZeroDivisionError
    begun = asyncio.Event()

    async def wait() -> None:
        async with READER.open(video(frames=100)) as opened:
            child(opened).suspend()
            begun.set()
            async for _ in opened:
                pass

    task = asyncio.create_task(wait())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not children()


@pytest.mark.integration
async def test_the_child_is_one_frame_ahead_and_waits() -> None:
    """Back-pressure: whoever reads slowly does not fill the memory; V7: one thread."""
    async with READER.open(video(frames=300)) as opened:
        await anext(opened)
        process = child(opened)
        await asyncio.sleep(0.3)
        used = process.cpu_times().user
        await asyncio.sleep(0.3)
        assert process.cpu_times().user == used
        assert process.num_threads() == 1
        assert len([frame async for frame in opened]) == 299


@pytest.mark.integration
async def test_the_child_sees_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the environment but where programs are, no socket, no file of ours; and no room for more."""
    monkeypatch.setenv("FACESOCIAL__REDIS__URL", "redis://:secret@localhost")
    with socket.create_server(("127.0.0.1", 0)) as ours:
        os.set_inheritable(ours.fileno(), True)
        async with READER.open(video()) as opened:
            process = child(opened)
            assert process.environ().keys() <= {"PATH", "LD_LIBRARY_PATH", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE"}
            assert process.num_fds() == 5  # three pipes' ends, the video, the slot
            assert not process.net_connections()
            assert process.rlimit(psutil.RLIMIT_AS) == (1 << 30, 1 << 30)
            assert process.rlimit(psutil.RLIMIT_CPU) == (300, 301)
            assert process.rlimit(psutil.RLIMIT_CORE) == (0, 0)
            assert process.rlimit(psutil.RLIMIT_NOFILE) == (32, 32)


@pytest.mark.integration
async def test_what_a_child_says_is_not_believed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A file may have taken it over: sizes outside the bounds, another language, a flood."""
    header = '{"type": "Header", "codec": "h264", "width": 64, "height": 48}'
    shot = '"index": 0, "seconds": 0, "width": {}, "height": {}, "stride": {}, "rotation": 0'
    lies = [
        "{}",
        "x" * 100_000,
        header,  # where a frame is due
        '{"type": "Failure", "code": "internal", "detail": "x"}',
        *(
            '{"type": "Shot", ' + shot.format(*sides) + "}"
            for sides in [(9000, 48, 27_000), (64, 48, 64), (64, 48, 192)]
        ),
    ]
    monkeypatch.setattr("services.video.reader._ROOT", tmp_path)
    monkeypatch.setattr("services.video.reader.CHILD", "liar")
    for lie in lies:
        (tmp_path / "liar.py").write_text(f"import time\nprint({header!r}); print({lie!r}, flush=True); time.sleep(60)")
        async with READER.open(video()) as opened:
            with pytest.raises(VideoUnreadable):
                await anext(opened)


@pytest.mark.unit
def test_the_child_starts_light() -> None:
    """NumPy, pydantic and the service's libraries would take longer than the decoding of a clip."""
    code = "import sys, services.video.child, services.video.frames\n"
    code += "print(sorted({'numpy', 'pydantic', 'cv2', 'structlog', 'asyncio', 'bentoml'} & set(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.stdout == "[]\n", run.stderr


@pytest.mark.unit
def test_bounds_hold_a_process() -> None:
    """Allocation fails, a file ends, no more can be opened, a loop is ended by SIGXCPU."""
    bounds = Bounds(pixels=1000, side_min=1, side_max=100, frames=1, seconds=1, decode_s=1, memory=1 << 29)
    code = f"from services.video.messages import Bounds; {bounds!r}.impose()\n"
    code += "try: bytearray(1 << 30)\nexcept MemoryError: print('no memory')\n"
    code += f"import os, sys\nfile = os.memfd_create('x')\nprint(os.pwrite(file, bytes(100_000), 0) == {bounds.room})\n"
    code += "try: print(len([os.dup(file) for _ in range(40)]))\nexcept OSError: print('no file')\n"
    code += "sys.stdout.flush()\nwhile True: pass"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.stdout == "no memory\nTrue\nno file\n", run.stderr
    assert run.returncode == -signal.SIGXCPU
