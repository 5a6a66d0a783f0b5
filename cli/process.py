"""A service of our own on a free port, for as long as a block lasts."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from cli.serve import command, environment
from facesocial.errors import FaceSocialError

START_SECONDS = 120
PASSING = ("starting", "warming up", "its process is not there", "its process does not answer")
"""How reasons of `/readyz` end that go away by themselves."""

PLAIN = {"FACESOCIAL__SERVER__TLS": "null"}
"""No TLS: its certificate is not one for loopback."""

TRUSTED = {"FACESOCIAL__RATES__TRUSTED_NETWORKS": '["127.0.0.0/8"]'}
"""We are the only caller."""

COMPUTED = {"FACESOCIAL__CACHE__ENABLED": "false"}
"""Who sends one picture again and again wants it computed each time."""


@dataclass(frozen=True, slots=True)
class Service:
    """A running service: where it answers, its first process, and the file that holds its log while it runs."""

    url: str
    pid: int
    log: Path

    @classmethod
    @contextmanager
    def start(
        cls,
        variables: Mapping[str, str] | None = None,
        until: Callable[[Service], bool] | None = None,
        bento: str | None = None,
    ) -> Iterator[Service]:
        """Start on loopback, wait until it is ready (or `until` says so), stop it and all its processes in the end.

        `bento` is the tag of a built one; without, this source tree is served.

        Raises:
            FaceSocialError: it ended or did not get there in time; the end of its log is in the message.
        """
        port = _free_port()
        with tempfile.NamedTemporaryFile(prefix="facesocial-", suffix=".log") as log:
            process = subprocess.Popen(  # noqa: S603 — our own command
                command("127.0.0.1", port, bento),
                env={**environment(), **PLAIN, **TRUSTED, **COMPUTED, **(variables or {})},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
            try:
                service = cls(f"http://127.0.0.1:{port}", process.pid, Path(log.name))
                service._wait(process, until or Service.ready)
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

    def ready(self) -> bool:
        """What `/readyz` says; False while nothing listens and while models warm up.

        Raises:
            FaceSocialError: it will never be ready; its reasons are the message.
        """
        try:
            state = httpx.get(f"{self.url}/readyz", timeout=2).json()
        except (httpx.TransportError, ValueError):
            return False
        if state["ready"] or any(reason.endswith(PASSING) for reason in state["reasons"]):
            return bool(state["ready"])
        raise FaceSocialError(f"the service cannot become ready: {'; '.join(state['reasons'])}")

    def _wait(self, process: subprocess.Popen[bytes], until: Callable[[Service], bool]) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and process.poll() is None:
            if until(self):
                return
            time.sleep(0.1)
        tail = self.log.read_bytes()[-2000:].decode("utf-8", "replace")
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
