"""The gate: what the first bytes say, at what price, and what is refused before a decoder sees it (checks F)."""

from __future__ import annotations

import time
from dataclasses import replace

import psutil
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image, ImageFile

from facesocial.configuration import LimitSettings
from facesocial.errors import FaceSocialError, ImageTruncated, InputError
from services.pipeline.header import SCANS, Header, read_header
from services.pipeline.picture import Picture
from tests.pictures import BAD, animated, bad, encoded, first_frame, noise, plain, png, progressive_bomb

pytestmark = [pytest.mark.unit, pytest.mark.filterwarnings("ignore::UserWarning:PIL")]

LIMITS = LimitSettings()
SEEDS = [noise("JPEG", 64, 48), noise("PNG", 64, 48), noise("WEBP", 64, 48), animated("PNG", 2), animated("WEBP", 2)]


def look(data: bytes) -> Header:
    """Through the gate and the decoder."""
    header = read_header(data, LIMITS)
    image = Picture(data, header).at(1)
    assert image.shape == (header.upright[1], header.upright[0], 3)
    return header


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_tells_format_and_size(kind: str) -> None:
    assert read_header(plain(kind, 64, 48), LIMITS) == Header(kind.lower(), 64, 48, 1)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", BAD)
def test_bad_pictures_get_their_error_and_cost_nothing(name: str) -> None:
    """I1–I6, I10, I11: the code of the table, with little time and memory; the message tells nothing about us."""
    data, process = bad(name), psutil.Process()
    before, started = process.memory_info().rss, time.perf_counter()
    with pytest.raises(InputError) as caught:
        look(data)
    assert time.perf_counter() - started < 1
    assert process.memory_info().rss - before < 80e6
    assert caught.value.code == BAD[name][0]
    assert not any(word in str(caught.value).lower() for word in ("pil", "cv2", "opencv", "libpng", "/"))


@pytest.mark.parametrize("name", [name for name in BAD if name.startswith(("I1 ", "I2 "))])
def test_i1_i2_too_many_pixels_are_refused_from_the_header(name: str) -> None:
    """Under 20 ms (best of three) and 5 MB."""
    data, process, times = bad(name), psutil.Process(), []
    before = process.memory_info().rss
    for _ in range(3):
        started = time.perf_counter()
        with pytest.raises(InputError, match="40 megapixels"):
            read_header(data, LIMITS)
        times.append(time.perf_counter() - started)
    assert min(times) < 0.020
    assert process.memory_info().rss - before < 5e6


def test_i4_pillow_does_not_take_what_is_cut_for_whole() -> None:
    assert ImageFile.LOAD_TRUNCATED_IMAGES is False


def test_the_gate_decodes_no_pixels() -> None:
    """A 36-megapixel PNG without EXIF passes within milliseconds (`Image.getexif` would decode it)."""
    data, times = png(width=6000, height=6000), []
    for _ in range(3):
        started = time.perf_counter()
        read_header(data, LIMITS)
        times.append(time.perf_counter() - started)
    assert min(times) < 0.010


@pytest.mark.parametrize(("width", "height", "accepted"), [(16, 16, True), (12_000, 16, True), (8000, 5000, True)])
def test_limits_are_inclusive(width: int, height: int, accepted: bool) -> None:
    assert read_header(png(width=width, height=height), LIMITS).width == width


def test_one_row_over_the_pixels_is_refused() -> None:
    with pytest.raises(FaceSocialError) as caught:
        read_header(png(width=8000, height=5001), LIMITS)
    assert caught.value.code == "image_too_large"


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("orientation", [0, 1, 6, 8, 9, 65535])
def test_reads_orientation_in_every_format(kind: str, orientation: int) -> None:
    """Values that EXIF does not define count as upright."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    header = read_header(encoded(Image.new("RGB", (64, 48)), kind, exif=exif.tobytes()), LIMITS)
    assert header.orientation == (orientation if 1 <= orientation <= 8 else 1)
    assert header.upright == ((48, 64) if header.orientation >= 5 else (64, 48))


@pytest.mark.parametrize(
    "exif", [b"Exif\0\0", b"Exif\0\0II*\0", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0" + b"\xff" * 99]
)
def test_broken_exif_is_no_reason_to_refuse(exif: bytes) -> None:
    assert look(encoded(Image.new("RGB", (64, 48)), "JPEG", exif=exif)).orientation == 1


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_i10_only_the_first_frame_of_an_animation_is_read(kind: str) -> None:
    """1 000 frames cost what one costs, and give the colour of the first."""
    data = animated(kind, 1000)
    header = read_header(data, LIMITS)
    started = time.perf_counter()
    image = Picture(data, header).at(1)
    assert time.perf_counter() - started < 0.1
    assert image.shape == (48, 64, 3)
    assert abs(image.mean(axis=(0, 1)) - (50, 100, 200)).max() < 3


def test_i10_an_animation_whose_first_frame_fills_the_picture_passes() -> None:
    assert look(png(first_frame(64, 64))).format == "png"


@pytest.mark.parametrize("data", [plain() + b"PK\x03\x04" + bytes(999), plain("PNG") + b"<?php phpinfo(); ?>"])
def test_i5_what_follows_the_picture_is_ignored(data: bytes) -> None:
    assert look(data).width == 64


def test_as_many_scans_as_an_encoder_writes_pass() -> None:
    look(progressive_bomb(SCANS - 10))
    with pytest.raises(ImageTruncated, match="scans"):
        read_header(progressive_bomb(SCANS), LIMITS)


def test_a_smaller_limit_holds() -> None:
    limits = LimitSettings(side_max=64)
    assert read_header(plain(width=64, height=48), limits) == replace(read_header(plain(), limits))
    with pytest.raises(FaceSocialError, match="16 to 64"):
        read_header(plain(width=65, height=48), limits)


def only_our_errors(data: bytes) -> None:
    started = time.perf_counter()
    code = "fine"
    try:
        look(data)
    except InputError as error:
        code = error.code
    assert code in {"fine", "image_too_large", "image_dimensions", "image_truncated", "unsupported_media_type"}
    assert time.perf_counter() - started < 2


@settings(max_examples=600, deadline=None)
@example(b"", b"")
@example(b"\xff\xd8\xff", b"")
@example(b"RIFF\0\0\0\0WEBP", b"")
@given(st.sampled_from([b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF\0\0\0\0WEBPVP8X"]), st.binary(max_size=400))
def test_i13_random_bytes(start: bytes, rest: bytes) -> None:
    """Random bytes behind a true signature raise our errors or give a picture, nothing else."""
    only_our_errors(start + rest)


@settings(max_examples=1500, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data(), st.sampled_from(range(len(SEEDS))))
def test_i13_bit_flips(draw: st.DataObject, seed: int) -> None:
    """Valid files with a few flipped bits, half of them in the header; sometimes cut."""
    data = bytearray(SEEDS[seed])
    for _ in range(draw.draw(st.integers(1, 4))):
        end = draw.draw(st.sampled_from([64, len(data)]))
        data[draw.draw(st.integers(0, end - 1))] ^= 1 << draw.draw(st.integers(0, 7))
    only_our_errors(bytes(data[: draw.draw(st.sampled_from([len(data), len(data) // 2]))]))
