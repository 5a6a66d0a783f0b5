"""The client installs alone: its wheel, httpx, and nothing of the product."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parent.parent.parent
UV = Path(sys.executable).parent / "uv"
NEEDED = ("hatchling>=1.27", "httpx>=0.28")

PROGRAM = """
import importlib.metadata, importlib.util, inspect, sys
import facesocial_client
assert facesocial_client.__file__.startswith(sys.prefix), facesocial_client.__file__
assert importlib.metadata.version("facesocial-client") == facesocial_client.__version__
for product in ("facesocial", "services", "bentoml", "numpy", "pydantic"):
    assert importlib.util.find_spec(product) is None, product
with facesocial_client.Client("http://127.0.0.1:9", retries=0) as client:
    try:
        client.detect(b"picture")
    except facesocial_client.ConnectionFailed:
        print("alone")
"""


def uv(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run it outside the project."""
    command = [str(UV), *map(str, arguments), "--quiet"]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, cwd="/", check=False)


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of both wheels, the client's and the product's."""
    folder = tmp_path_factory.mktemp("wheels")
    probe = ("pip", "install", "--dry-run", "--target", folder / "probe", *NEEDED)
    if uv(*probe, "--offline").returncode and uv("pip", "install", "--target", folder / "probe", *NEEDED).returncode:
        pytest.skip("uv has neither hatchling and httpx in its cache nor an index that gives them")
    for project in (ROOT / "client", ROOT):
        built = uv("build", "--offline", "--wheel", "--out-dir", folder, project)
        assert built.returncode == 0, built.stderr
    return folder


def test_it_installs_and_runs_alone(wheels: Path, tmp_path: Path) -> None:
    (wheel,) = wheels.glob("facesocial_client-*.whl")
    python = tmp_path / "venv/bin/python"
    assert uv("venv", "--offline", "--python", sys.executable, tmp_path / "venv").returncode == 0
    installed = uv("pip", "install", "--offline", "--python", python, wheel)
    assert installed.returncode == 0, installed.stderr
    ran = subprocess.run([python, "-I", "-c", PROGRAM], capture_output=True, text=True, timeout=60, check=False)
    assert (ran.stdout.strip(), ran.stderr) == ("alone", "")


def test_neither_wheel_has_the_other(wheels: Path) -> None:
    tops = {}
    for wheel in wheels.glob("*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            names = archive.namelist()
        tops[wheel.name.partition("-")[0]] = {name.partition("/")[0] for name in names if ".dist-info/" not in name}
        if wheel.name.startswith("facesocial_client"):
            assert {"facesocial_client/py.typed", "facesocial_client/client.py"} <= set(names)
            assert any(name.endswith("licenses/LICENSE") for name in names)
    assert tops["facesocial_client"] == {"facesocial_client"}
    assert {"facesocial", "services"} < tops["facesocial"]
    assert not tops["facesocial"] & {"client", "facesocial_client"}
