"""A gate between processes: who comes tells a number and waits in the kernel; the test opens it."""

from __future__ import annotations

import asyncio
import fcntl
import os
import select
import struct
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO, Final

import pytest

from bentos.presence import hold
from cli.process import Service

VARIABLE: Final = "FACESOCIAL_TEST_GATE"
"""Names the folder of the gate."""

PATIENCE_S: Final = 30
NUMBER: Final = struct.Struct("<H")


def pass_through(folder: Path, number: int) -> None:
    """In the process of the service: says that it is here, and returns when the gate is open."""
    with (folder / "here").open("wb", buffering=0) as pipe:
        pipe.write(NUMBER.pack(number))
    with (folder / "gate").open("ab") as gate:
        fcntl.flock(gate, fcntl.LOCK_SH)


class Gate:
    """The test's side; open at first."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        os.mkfifo(folder / "here")
        self._pipe = os.open(folder / "here", os.O_RDWR | os.O_NONBLOCK)
        self._bolt: BinaryIO | None = None

    def shut(self) -> None:
        """Waits until everybody is through."""
        self._bolt = hold(self.folder / "gate")

    def open(self) -> None:
        """Lets everybody through."""
        if self._bolt:
            self._bolt.close()

    async def arrived(self, count: int) -> list[int]:
        """The numbers of the next `count` to come, sorted."""
        return sorted([await asyncio.to_thread(self._next) for _ in range(count)])

    def nobody_else(self) -> bool:
        """Whether nobody has come beside those who were asked for."""
        return not select.select([self._pipe], [], [], 0)[0]

    def close(self) -> None:
        """For ever open."""
        self.open()
        os.close(self._pipe)

    def _next(self) -> int:
        assert select.select([self._pipe], [], [], PATIENCE_S)[0], "nobody comes"
        (number,) = NUMBER.unpack(os.read(self._pipe, NUMBER.size))
        return int(number)


@contextmanager
def gated(folder: Path, **variables: str) -> Iterator[tuple[Service, Gate]]:
    """FaceSocial on its starter models with a gate in front of its detector; everything of it lies in `folder`."""
    gate = Gate(folder)
    own = {"BENTOML_HOME": str(folder / "bentoml"), VARIABLE: str(folder)}
    with ExitStack() as stack:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("cli.serve.TARGET", "tests.bentos.gated:FaceSocial")
            service = stack.enter_context(Service.start({**own, **variables}))
        stack.callback(gate.close)
        yield service, gate
