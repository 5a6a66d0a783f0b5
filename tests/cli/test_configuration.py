"""`facesocial init` and `facesocial config check`, as a user types them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit


def facesocial(*arguments: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a folder."""
    return subprocess.run(
        [str(Path(sys.executable).parent / "facesocial"), *arguments],
        cwd=folder,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_check_prints_what_is_in_force(tmp_path: Path) -> None:
    """JSON on stdout, the file's name on stderr."""
    (tmp_path / "configuration.yaml").write_text("server:\n  port: 4321\n")
    run = facesocial("config", "check", folder=tmp_path)
    assert run.returncode == 0
    assert json.loads(run.stdout)["server"]["port"] == 4321
    assert "configuration.yaml" in run.stderr


def test_check_refuses_with_one_message(tmp_path: Path) -> None:
    """Exit code 1, line and key, no traceback."""
    (tmp_path / "configuration.yaml").write_text("server:\n  port: none\n")
    run = facesocial("config", "check", folder=tmp_path)
    assert run.returncode == 1
    assert "configuration.yaml: line 2: server.port" in run.stderr
    assert "Traceback" not in run.stderr


def test_check_tries_what_it_can(tmp_path: Path) -> None:
    """A line for each thing that would fail later, without the password."""
    (tmp_path / "empty.pem").touch()
    files = json.dumps({name: str(tmp_path / "empty.pem") for name in ("certificate", "key")})
    run = facesocial(
        "config",
        "check",
        folder=tmp_path,
        FACESOCIAL__SERVER__TLS=files,
        FACESOCIAL__REDIS__URL="redis://:hunter2@localhost/zero",
    )
    assert run.returncode == 1
    assert [line.partition(": expected")[0].partition(": no ")[0] for line in run.stderr.splitlines()] == [
        "facesocial: environment variable FACESOCIAL__SERVER__TLS: server.tls: certificate",
        "environment variable FACESOCIAL__REDIS__URL: redis.url",
    ]
    assert "hunter2" not in run.stderr


def test_serve_refuses_at_start(tmp_path: Path) -> None:
    """A wrong value never becomes a running service."""
    run = facesocial("serve", folder=tmp_path, FACESOCIAL__CPU__BATCH="0")
    assert run.returncode == 1
    assert "FACESOCIAL__CPU__BATCH" in run.stderr


def test_init_writes_once(tmp_path: Path) -> None:
    """A second run leaves an edited file alone."""
    assert facesocial("init", folder=tmp_path).returncode == 0
    file = tmp_path / "configuration.yaml"
    file.write_text(file.read_text().replace("# port: 3000", "port: 5555"))
    assert facesocial("init", folder=tmp_path).returncode == 0
    assert json.loads(facesocial("config", "check", folder=tmp_path).stdout)["server"]["port"] == 5555


def test_the_repository_ships_the_template() -> None:
    """configuration.yaml in the root is what `init` writes."""
    from facesocial.configuration import template

    assert (Path(__file__).parents[2] / "configuration.yaml").read_text("utf-8") == template()
