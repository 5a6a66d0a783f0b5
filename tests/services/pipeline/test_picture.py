"""Decoding as little as possible: levels, orientation, odd pixel formats, damage."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
from PIL import ExifTags, Image

from facesocial.configuration import LimitSettings
from facesocial.errors import ImageTruncated
from services.pipeline.header import Header, read_header
from services.pipeline.picture import EAGER_PIXELS, Picture
from tests.pictures import encoded, noise

pytestmark = [pytest.mark.unit, pytest.mark.filterwarnings("ignore::UserWarning:PIL")]


def opened(data: bytes) -> Picture:
    return Picture(data, read_header(data, LimitSettings()))


def gradient(width: int, height: int) -> Image.Image:
    """Smooth, and different in each corner and channel."""
    y, x = np.mgrid[0:height, 0:width]
    return Image.fromarray(np.stack([x * 255 // width, y * 255 // height, 255 - x * 255 // width], 2).astype(np.uint8))


def pixels(image: Image.Image) -> np.ndarray[Any, Any]:
    """BGR, as OpenCV gives them."""
    return np.asarray(image)[:, :, ::-1]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("size", [(96, 64), (2001, 1003)])
def test_i9_upright_at_every_level(orientation: int, size: tuple[int, int]) -> None:
    """What EXIF says is applied once, as Pillow does it, by the full and by the reduced decoder."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    stored = gradient(*size)
    data = encoded(stored, "JPEG", quality=95, exif=exif.tobytes())
    turned = stored.transpose(TRANSPOSE[orientation]) if orientation > 1 else stored
    picture = opened(data)
    assert (picture.width, picture.height) == turned.size
    for resolution in (0.2, 1.0):
        image = picture.at(resolution)
        expected = cv2.resize(pixels(turned), (image.shape[1], image.shape[0]), interpolation=cv2.INTER_AREA)
        assert np.abs(image.astype(int) - expected).mean() < 4


TRANSPOSE = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@pytest.mark.parametrize(
    ("resolution", "level"),
    [(1, 0), (0.51, 0), (0.5, 1), (0.26, 1), (0.25, 2), (0.125, 3), (0.01, 3)],
)
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_gives_the_smallest_version_that_suffices(kind: str, resolution: float, level: int) -> None:
    assert EAGER_PIXELS < 2001 * 1503
    picture = opened(encoded(gradient(2001, 1503), kind))
    assert picture.at(resolution).shape == (-(-1503 // 2**level), -(-2001 // 2**level), 3)
    assert picture.at(resolution) is picture.at(resolution)
    assert picture.decode_seconds > 0


def test_a_finer_version_serves_the_coarser_ones() -> None:
    """The file is not decoded again: the versions agree even when the file is gone."""
    picture = opened(encoded(gradient(2400, 1600), "JPEG"))
    full = picture.at(1)
    picture._data = np.zeros(1, np.uint8)
    assert np.abs(picture.at(0.25).astype(int) - cv2.resize(full, (600, 400), interpolation=cv2.INTER_AREA)).max() <= 1


TWINS: dict[str, tuple[bytes, Image.Image]] = {}
_photo = gradient(160, 120)
_grey = _photo.convert("L")
_wide = np.asarray(_photo).astype(np.uint16) * 257
_see_through = _photo.copy()
_see_through.putalpha(90)
TWINS["CMYK JPEG"] = encoded(_photo.convert("CMYK"), "JPEG", quality=95), _photo
TWINS["grey JPEG"] = encoded(_grey, "JPEG", quality=95), _grey.convert("RGB")
TWINS["16-bit grey PNG"] = (
    encoded(Image.fromarray(np.asarray(_grey).astype(np.uint16) * 257), "PNG"),
    _grey.convert("RGB"),
)
TWINS["16-bit colour PNG"] = cv2.imencode(".png", _wide[:, :, ::-1])[1].tobytes(), _photo
TWINS["palette PNG"] = encoded(_photo.quantize(256), "PNG"), _photo.quantize(256).convert("RGB")
TWINS["palette PNG with alpha"] = (
    encoded(_photo.quantize(255), "PNG", transparency=bytes(range(255))),
    _photo.quantize(255).convert("RGB"),
)
TWINS["RGBA PNG"] = encoded(_see_through, "PNG"), _photo
TWINS["RGBA WebP"] = encoded(_see_through, "WEBP", lossless=True), _photo
TWINS["LA PNG"] = encoded(_grey.convert("LA"), "PNG"), _grey.convert("RGB")
TWINS["1-bit PNG"] = encoded(_photo.convert("1"), "PNG"), _photo.convert("1").convert("RGB")


@pytest.mark.parametrize("name", TWINS)
def test_i8_odd_pixel_formats_look_like_their_rgb_twin(name: str) -> None:
    data, twin = TWINS[name]
    assert np.abs(opened(data).at(1).astype(int) - pixels(twin)).mean() < 3


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_i4_a_cut_anywhere_is_found(kind: str) -> None:
    """At 40 places, the last bytes among them; for the JPEG also by the reduced decoder."""
    data = noise(kind, 2048, 1024) if kind == "JPEG" else noise(kind, 320, 240)
    places = [len(data) - back for back in (1, 2, 3, 5, 12, 13)] + [len(data) * n // 36 for n in range(1, 35)]
    for place in places:
        for resolution in (0.1, 1.0):
            with pytest.raises(ImageTruncated):
                opened(data[:place]).at(resolution)


def test_a_decoder_that_disagrees_with_the_header_is_not_believed() -> None:
    with pytest.raises(ImageTruncated):
        Picture(noise("PNG", 64, 48), Header("png", 48, 64, 1)).at(1)


def test_what_is_no_picture_at_all_is_refused() -> None:
    """An empty buffer is an error inside OpenCV, not a None."""
    with pytest.raises(ImageTruncated):
        Picture(b"", Header("png", 48, 64, 1)).at(1)
