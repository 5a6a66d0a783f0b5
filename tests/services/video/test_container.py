"""What a video is, by its first bytes."""

from __future__ import annotations

import pytest

from facesocial.errors import UnsupportedMediaType
from services.video.container import container_of
from tests.pictures import plain
from tests.videos import video

pytestmark = pytest.mark.unit

PLAYLIST = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{}\n#EXT-X-ENDLIST\n"
SDP = "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\na=rtpmap:96 H264/90000\n"

OTHERS: dict[str, bytes] = {
    "V1 a playlist of a URL": PLAYLIST.format("http://127.0.0.1/a.ts").encode(),
    "V1 a playlist of a file": PLAYLIST.format("file:///etc/passwd").encode(),
    "V1 a concat script": b"ffconcat version 1.0\nfile /etc/passwd\n",
    "V2 SDP": SDP.encode(),
    "nothing": b"",
    "a picture": plain(),
    "HEIC": b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic",
    "AVIF": b"\x00\x00\x00\x1cftypavis\x00\x00\x00\x00avifiso8",
    "QuickTime": b"\x00\x00\x00\x14ftypqt  \x00\x00\x02\x00qt  ",
    "AVI": b"RIFF\x00\x10\x00\x00AVI LIST",
    "MPEG-TS": b"\x47\x40\x00\x10" * 94,
}


def test_mp4_and_webm_are_told_by_content() -> None:
    assert container_of(video("h264", "mp4")) == "mp4"
    assert container_of(video("vp8", "webm")) == "webm"


@pytest.mark.parametrize("name", OTHERS)
def test_anything_else_is_refused(name: str) -> None:
    """V1, V2: text that FFmpeg would follow never gets there."""
    with pytest.raises(UnsupportedMediaType, match="MP4 or WebM"):
        container_of(OTHERS[name])


def test_matroska_that_is_no_webm_is_refused() -> None:
    with pytest.raises(UnsupportedMediaType):
        container_of(video("h264", "matroska"))
