"""A service of our own on a free port, for as long as a block lasts."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import httpx

from cli.serve import command, environment
from facesocial.errors import FaceSocialError

START_SECONDS = 120


@dataclass(frozen=True, slots=True)
class Service:
    """A running service."""

    url: str
    pid: int

    @classmethod
    @contextmanager
    def start(cls, variables: Mapping[str, str] | None = None) -> Iterator[Service]:
        """Start on loopback, wait until it is ready, stop it and all its processes in the end.

        Raises:
            FaceSocialError: it ended or was not ready in time; the end of its log is in the message.
        """
        port = _free_port()
        with tempfile.TemporaryFile() as log:
            process = subprocess.Popen(  # noqa: S603 — our own command
                command("127.0.0.1", port),
                env={**environment(), **(variables or {})},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
            try:
                service = cls(f"http://127.0.0.1:{port}", process.pid)
                service._wait(process, log)
                yield service
            finally:
                _stop(process)

    def post(self, route: str, image: Path, **fields: str) -> dict[str, Any]:
        """Send a picture.

        Raises:
            FaceSocialError: the answer is not 200; its detail is the message.
        """
        response = httpx.post(
            self.url + route, files={"image": (image.name, image.read_bytes())}, data=fields, timeout=60
        )
        body: dict[str, Any] = response.json()
        if response.status_code != 200:
            raise FaceSocialError(f"{response.status_code} {body.get('code')}: {body.get('detail')}")
        return body

    def _wait(self, process: subprocess.Popen[bytes], log: IO[bytes]) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and process.poll() is None:
            try:
                if httpx.get(f"{self.url}/readyz", timeout=2).status_code == 200:
                    return
            except httpx.TransportError:
                pass  # not listening yet
            time.sleep(0.1)
        log.seek(0)
        tail = log.read()[-2000:].decode("utf-8", "replace")
        raise FaceSocialError(f"the service did not become ready\n{tail}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    """SIGTERM, ten seconds, SIGKILL for the whole process group."""
    if process.poll() is None:
        process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
