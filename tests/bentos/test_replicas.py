"""checks.md E: replicas on two machines, as far as the network can tell, have one bucket when they share a Redis."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.bentos.replicas import PER_ADDRESS
from tests.conftest import ROOT

pytestmark = pytest.mark.integration

APART: Final = ["unshare", "--user", "--map-root-user", "--net"]
"""Root of a network of its own, for anybody where the kernel permits it."""


@pytest.fixture
def permitted() -> None:
    """Skips where no networks can be made."""
    for program in ("unshare", "nsenter", "ip", "redis-server"):
        if not shutil.which(program):
            pytest.skip(f"{program} is not installed")
    tried = subprocess.run(
        [*APART, "ip", "link", "add", "one", "type", "veth", "peer", "name", "other"],
        capture_output=True,
        text=True,
        check=False,
    )
    if tried.returncode:
        pytest.skip(f"network namespaces are not permitted here: {tried.stderr.strip()}")


@pytest.mark.usefixtures("permitted")
def test_e_replicas_in_two_networks_have_one_bucket(tmp_path: Path) -> None:
    """And each has its own when that Redis is gone (the control): closed after as many, never open."""
    command = [*APART, sys.executable, "-m", "tests.bentos.replicas", str(tmp_path)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr + "".join(file.read_text()[-2000:] for file in tmp_path.glob("*.log"))
    assert json.loads(ran.stdout) == {"together": PER_ADDRESS, "apart": 2 * PER_ADDRESS}
