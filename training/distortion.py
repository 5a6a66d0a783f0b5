"""What cameras, networks and codecs do to a picture, drawn at random. uint8 BGR in, uint8 BGR of the same size out."""

from __future__ import annotations

import cv2
import numpy as np

from facesocial.results import Image


def recolour(image: Image, generator: np.random.Generator, strength: float = 1.0) -> Image:
    """Brightness, contrast, gamma, saturation and white balance; at times grey."""
    curve = np.linspace(0, 1, 256, dtype=np.float32)[:, None] ** np.float32(
        np.exp(generator.normal(0, 0.25 * strength))
    )
    curve = curve * np.exp(generator.normal(0, 0.06 * strength, 3) + generator.normal(0, 0.15 * strength))
    curve = np.clip((curve + generator.normal(0, 0.05 * strength)) * 255, 0, 255)
    saturation = 0.0 if generator.random() < 0.06 * strength else float(np.exp(generator.normal(0, 0.25 * strength)))
    image = np.asarray(cv2.LUT(image, np.rint(curve).astype(np.uint8).reshape(1, 256, 3)), np.uint8)
    to_grey = np.eye(3) * saturation + (1 - saturation) / 3
    return np.asarray(cv2.transform(image, to_grey), np.uint8)


def soften(image: Image, generator: np.random.Generator, most: float = 2.0) -> Image:
    """Gaussian or motion blur of up to `most` pixels."""
    sigma = float(generator.uniform(0.2, most))
    if generator.random() < 0.7:
        return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), np.uint8)
    length = max(2, round(sigma * 3))
    kernel = np.zeros((length, length), np.float32)
    angle = generator.uniform(0, np.pi)
    centre, reach = (length - 1) / 2, (length - 1) / 2
    for step in np.linspace(-reach, reach, 4 * length):
        kernel[round(centre + step * np.sin(angle)), round(centre + step * np.cos(angle))] = 1
    return np.asarray(cv2.filter2D(image, -1, kernel / kernel.sum()), np.uint8)


def shrink(image: Image, generator: np.random.Generator, least: float = 0.3) -> Image:
    """Down to a share of its sides, at least `least`, and up again."""
    height, width = image.shape[:2]
    share = float(generator.uniform(least, 1))
    size = max(2, round(width * share)), max(2, round(height * share))
    down = cv2.INTER_AREA if generator.random() < 0.7 else cv2.INTER_LINEAR
    up = (cv2.INTER_LINEAR, cv2.INTER_CUBIC)[int(generator.integers(2))]
    return np.asarray(cv2.resize(cv2.resize(image, size, interpolation=down), (width, height), interpolation=up))


def compress(image: Image, generator: np.random.Generator, worst: int = 25) -> Image:
    """JPEG of a quality between `worst` and 95."""
    quality = int(generator.integers(worst, 96))
    content = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.asarray(cv2.imdecode(content, cv2.IMREAD_COLOR), np.uint8)


def roughen(image: Image, generator: np.random.Generator, most: float = 10.0) -> Image:
    """Sensor noise of up to `most` levels."""
    noise = generator.normal(0, generator.uniform(1, most), image.shape).astype(np.float32)
    return np.asarray(np.clip(image + noise, 0, 255), np.uint8)


def cover(image: Image, generator: np.random.Generator) -> Image:
    """A bar of one colour over a part of the picture: glasses, hands, microphones."""
    height, width = image.shape[:2]
    high, wide = (int(side * generator.uniform(0.08, 0.35)) for side in (height, width))
    top, left = int(generator.integers(0, height - high)), int(generator.integers(0, width - wide))
    covered = image.copy()
    covered[top : top + high, left : left + wide] = generator.integers(0, 256, 3)
    return covered


def degrade(image: Image, generator: np.random.Generator, chance: float = 0.3) -> Image:
    """Each of blur, small resolution, noise and compression with this chance, in the order of a camera's."""
    for change in (soften, shrink, roughen, compress):
        if generator.random() < chance:
            image = change(image, generator)
    return image
