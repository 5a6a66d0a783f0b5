"""What uv.lock installs: exactly one cv2 and one ONNX Runtime, and the pins that design §6 asks for."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import distributions, version
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parent.parent
INSTALLED = {re.sub(r"[-_.]+", "-", str(found.metadata["Name"])).lower() for found in distributions()}


@pytest.mark.parametrize(("module", "only"), [("opencv", "opencv-python-headless"), ("onnxruntime", "onnxruntime")])
def test_one_wheel_writes_the_module(module: str, only: str) -> None:
    """Two wheels in one folder are undefined behaviour."""
    assert {name for name in INSTALLED if name.startswith(module)} == {only}


def test_the_lock_keeps_the_others_out() -> None:
    """On no platform does the lock install a second OpenCV."""
    lock = tomllib.loads((ROOT / "uv.lock").read_text())
    names = {package["name"] for package in lock["package"]}
    assert {name for name in names if name.startswith("opencv")} <= {
        "opencv-python-headless",
        "opencv-python",
        "opencv-contrib-python",
    }
    for package in lock["package"]:
        for dependency in package.get("dependencies", []):
            if dependency["name"] in ("opencv-python", "opencv-contrib-python"):
                assert dependency["marker"].replace('"', "'") == "sys_platform == 'never'"


def test_pins() -> None:
    """BentoML as measured, and the floors of its neighbours."""
    assert version("bentoml") == "1.4.39"
    for name, floor in (
        ("starlette", (1, 0, 1)),
        ("pillow", (12, 3)),
        ("onnx", (1, 21)),
        ("python-multipart", (0, 0, 18)),
    ):
        assert tuple(int(part) for part in version(name).split(".")) >= floor, name
