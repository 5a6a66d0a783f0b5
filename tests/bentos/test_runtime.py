"""The folder of a running service: ours alone, in memory, gone with the service, however that ended."""

from __future__ import annotations

import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bentos.runtime import MEMORY, make_runtime
from tests.conftest import ROOT

pytestmark = pytest.mark.unit

MAKE = "import sys; from bentos.runtime import make_runtime; print(make_runtime(), flush=True); sys.stdin.read()"


@pytest.fixture
def other() -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """A process with a folder of its own, until its input ends."""
    command, pipe = [sys.executable, "-X", "dev", "-c", MAKE], subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, cwd=ROOT) as process:
        assert process.stdout
        yield process, Path(process.stdout.readline().strip())
        process.kill()


def test_it_is_ours_alone_in_memory_and_goes_with_us(other: tuple[subprocess.Popen[str], Path]) -> None:
    process, folder = other
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert folder.is_relative_to(MEMORY)
    assert process.communicate("") == ("", ""), "nothing left open, either"
    assert not folder.exists()


def test_that_of_a_service_that_was_killed_goes_with_the_next_and_no_other(
    other: tuple[subprocess.Popen[str], Path],
) -> None:
    process, folder = other
    ours = Path(make_runtime())
    assert folder.exists(), "it lives"
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert folder.exists(), "nobody cleaned up"
    make_runtime()
    assert not folder.exists()
    assert ours.exists()
