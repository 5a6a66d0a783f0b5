"""Picture-sized buffers stay with the process."""

from __future__ import annotations

import subprocess
import sys

import pytest

from facesocial.memory import give_freed_pages, resident

pytestmark = pytest.mark.unit

COUNT = """
import resource, numpy as np
from facesocial.memory import keep_freed_pages
if {keep}: keep_freed_pages()
def work():
    for _ in range(20):
        picture, canvas, tensor = np.ones(3_400_000, "B"), np.ones(400_000, "B"), np.ones(1_000_000, "f")
work()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
work()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(keep: bool) -> int:
    """Page faults of twenty pictures in a fresh process."""
    code = COUNT.format(keep=keep)
    return int(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's allocator")
def test_freed_pages_are_kept() -> None:
    """Counted, not timed: without it every picture is faulted in anew; the control shows that the count can tell."""
    assert faults(keep=True) < 50 < faults(keep=False)


@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
def test_what_a_process_holds_is_counted() -> None:
    give_freed_pages()  # else the 64 MiB may be some that an earlier test left
    before = resident()
    held = bytearray(b"x") * (64 << 20)
    assert resident() - before > 60 << 20
    del held
    give_freed_pages()
    assert resident() - before < 16 << 20
