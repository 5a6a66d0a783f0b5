"""A Redis of the tests' own."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path


class Redis:
    """A server of our own, on a Unix socket, that keeps nothing; can be stopped, held and started again."""

    def __init__(self, folder: Path) -> None:
        self._socket = folder / "redis.sock"
        self.url = f"unix://{self._socket}"
        self.process = self._started()

    def restart(self, *options: str) -> None:
        self.process = self._started(*options)

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()

    def _started(self, *options: str) -> subprocess.Popen[bytes]:
        command = ["redis-server", "--port", "0", "--unixsocket", str(self._socket), "--save", "", "--appendonly", "no"]
        command += ["--dir", str(self._socket.parent), *options]  # where a test makes it write after all
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 10
        while (
            subprocess.run(
                ["redis-cli", "-s", str(self._socket), "ping"], capture_output=True, check=False
            ).stdout.strip()
            != b"PONG"
        ):
            assert time.monotonic() < deadline, "redis-server did not start"
            time.sleep(0.05)
        return process
