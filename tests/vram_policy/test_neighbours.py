"""Several processes on one simulated card: each sees what the others take, and nothing of those who are gone."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from facesocial.errors import OutOfDeviceMemory
from tests.vram_policy.fakes import FakeModel
from tests.vram_policy.manual import Clock
from vram_policy.neighbours import Files, Nobody
from vram_policy.simulated import Behaviour, SimulatedGpu

pytestmark = pytest.mark.unit

PROGRAM = textwrap.dedent("""
    import sys
    from pathlib import Path
    from vram_policy.neighbours import Files

    files = Files(Path(sys.argv[1]), int(sys.argv[2]))
    files.tell(int(sys.argv[3]))
    print(files.others(), flush=True)
    for line in sys.stdin:
        files.tell(int(line))
        print("told", flush=True)
""")


@contextmanager
def process(folder: Path, card: int, size: int) -> Iterator[subprocess.Popen[str]]:
    """One more that takes `size` bytes of a card."""
    command = [sys.executable, "-c", PROGRAM, str(folder), str(card), str(size)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as started:
        try:
            yield started
        finally:
            started.kill()


def heard(process: subprocess.Popen[str]) -> str:
    """Its next line."""
    assert process.stdout
    return process.stdout.readline().strip()


def test_nobody_takes_nothing() -> None:
    """A process alone."""
    nobody = Nobody()
    nobody.tell(5)
    assert nobody.others() == 0


def test_what_a_killed_process_held_is_free_at_once(tmp_path: Path) -> None:
    """By kill -9 too; who lives is counted still, and its numbers as they change."""
    mine = Files(tmp_path, 0)
    mine.tell(100)
    with process(tmp_path, 0, 200) as first, process(tmp_path, 0, 300) as second:
        seen = {heard(first), heard(second)}
        assert seen <= {"100", "300", "400"}
        assert mine.others() == 500
        assert first.stdin
        first.stdin.write("50\n")
        first.stdin.flush()
        assert heard(first) == "told"
        assert mine.others() == 350
        second.kill()
        second.wait(5)
        assert mine.others() == 50
    assert mine.others() == 0
    assert [file.name for file in tmp_path.iterdir()] == [mine._file.name]
    mine.close()


def test_cards_are_told_apart(tmp_path: Path) -> None:
    """The first is not the eleventh."""
    files = [Files(tmp_path, card) for card in (1, 11)]
    for one, size in zip(files, (10, 20), strict=True):
        one.tell(size)
    assert [one.others() for one in files] == [0, 0]
    again = Files(tmp_path, 1)
    assert again.others() == 10
    for one in (*files, again):
        one.close()


def test_two_processes_share_a_card(tmp_path: Path) -> None:
    """What one takes the other does not get, until it was given back, however late."""
    clock = Clock()
    files = [Files(tmp_path, 0) for _ in range(2)]
    first, second = (SimulatedGpu(1000, Behaviour(lag=1.0), neighbours=one, clock=clock) for one in files)
    session = first.open(FakeModel(size=600))
    assert second.memory().free == 400
    with pytest.raises(OutOfDeviceMemory):
        second.open(FakeModel(size=600))
    session.close()
    clock.sleep(2)
    assert first.memory().free == 1000
    assert second.memory().free == 1000
    second.open(FakeModel(size=600))
    assert first.memory().free == 400
    for one in files:
        one.close()
