"""Sources, reference conversions and real faces; a test that needs one is skipped where it is not there."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime
import pytest
from PIL import Image

from models.convert import convert

Image8 = npt.NDArray[np.uint8]
Float = npt.NDArray[np.float32]
Agree = Callable[[Path, Path, dict[str, str], Float], None]

SOURCES = {
    "age_gender_manifest": "justadudewhohacks/face-api.js/*/weights/age_gender_model-weights_manifest.json",
    "age_gender_shard": "justadudewhohacks/face-api.js/*/weights/age_gender_model-shard1",
    "meso4_df": "DariusAf/MesoNet/*/weights/Meso4_DF.h5",
    "mesoinception_df": "DariusAf/MesoNet/*/weights/MesoInception_DF.h5",
    "mesoinception_f2f": "DariusAf/MesoNet/*/weights/MesoInception_F2F.h5",
    "minifasnet_v1se": "minivision-ai/Silent-Face-Anti-Spoofing/*/*/*/4_0_0_80x80_MiniFASNetV1SE.pth",
    "minifasnet_v2": "minivision-ai/Silent-Face-Anti-Spoofing/*/*/*/2.7_80x80_MiniFASNetV2.pth",
    "mobilefacenet": "foamliu/MobileFaceNet/*/weights/mobilefacenet.pt",
}


def _folder(variable: str) -> Path:
    value = os.environ.get(variable, "")
    if not Path(value).is_dir() or not value:
        pytest.skip(f"{variable} names no folder")
    return Path(value)


@pytest.fixture(scope="session")
def source() -> Callable[[str], Path]:
    """Finds an original file in the mirror by its short name in `SOURCES`."""

    def find(name: str) -> Path:
        return next((_folder("FACESOCIAL_MODEL_MIRROR") / "raw.githubusercontent.com").glob(SOURCES[name]))

    return find


@pytest.fixture(scope="session")
def reference() -> Callable[[str], Path]:
    """Finds a conversion that was made with the authors' framework."""

    def find(name: str) -> Path:
        path = _folder("FACESOCIAL_MODEL_MIRROR").parent / "reference" / f"{name}.onnx"
        if not path.is_file():
            pytest.skip("no reference conversions beside FACESOCIAL_MODEL_MIRROR")
        return path

    return find


@pytest.fixture(scope="session")
def converted(tmp_path_factory: pytest.TempPathFactory, source: Callable[[str], Path]) -> Callable[..., Path]:
    """Converts sources, once per session and set of sources."""
    done: dict[tuple[str, ...], Path] = {}

    def run(converter: str, *names: str) -> Path:
        key = (converter, *names)
        if key not in done:
            target = tmp_path_factory.mktemp("converted") / "model.onnx"
            convert(converter, [source(name) for name in names], target)
            done[key] = target
        return done[key]

    return run


@pytest.fixture(scope="session")
def faces() -> Callable[[int], Image8]:
    """Nine real faces [9, 3, side, side], RGB: genuine, forged, and of several ages."""

    def load(side: int) -> Image8:
        data = _folder("FACESOCIAL_TEST_DATA")
        folders = ("mesonet/real", "mesonet/deepfake", "utkface")
        files = [file for folder in folders for file in sorted((data / folder).glob("*.jpg"))[:300:100]]
        assert len(files) == 9
        pictures = [Image.open(file).convert("RGB").resize((side, side)) for file in files]
        return np.stack([np.asarray(picture) for picture in pictures]).transpose(0, 3, 1, 2)

    return load


@pytest.fixture(scope="session")
def noise() -> Callable[[int], Image8]:
    """Seeded noise [4, 3, side, side]."""
    return lambda side: np.random.default_rng(7).integers(0, 256, (4, 3, side, side), np.uint8)


@pytest.fixture(scope="session")
def agree() -> Agree:
    """Asserts that two models answer alike: to 1e-4, one picture at a time and three at once."""

    def compare(ours: Path, theirs: Path, renamed: dict[str, str], pictures: Float) -> None:
        session, expected = _session(ours), _session(theirs)
        for batch in (1, 3):
            for start in range(0, len(pictures) - batch + 1, batch):
                faces = pictures[start : start + batch]
                want, got = _answers(expected, faces), _answers(session, faces)
                for name, values in want.items():
                    np.testing.assert_allclose(got[renamed.get(name, name)], values, rtol=0, atol=1e-4, strict=True)

    return compare


def _session(path: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def _answers(session: onnxruntime.InferenceSession, faces: Float) -> dict[str, Float]:
    feeds = {value.name: faces for value in session.get_inputs()}
    return dict(zip([value.name for value in session.get_outputs()], session.run(None, feeds), strict=True))
