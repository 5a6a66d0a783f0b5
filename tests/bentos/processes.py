"""The processes of a running service, their memory, and a crowd of callers that remembers every answer."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx
import psutil

from cli.process import Service


def workers(service: Service) -> dict[str, psutil.Process]:
    """BentoML service → its process."""
    found = {}
    for process in psutil.Process(service.pid).children(recursive=True):
        try:
            command = process.cmdline()
        except psutil.Error:
            continue
        if "--service-name" in command:
            found[command[command.index("--service-name") + 1]] = process
    return found


def written(service: Service, words: str, since: int = 0) -> str:
    """The log from byte `since` on, once it holds `words`: a line comes out a moment after the answer."""
    deadline = time.monotonic() + 10
    while words.encode() not in (log := service.log.read_bytes()[since:]):
        assert time.monotonic() < deadline, f"never written: {words}"
        time.sleep(0.02)
    return log.decode()


def resident(pid: int) -> int:
    """Bytes of RSS of a process and all below it."""
    root = psutil.Process(pid)
    return sum(int(process.memory_info().rss) for process in (root, *root.children(recursive=True)))


@dataclass(frozen=True)
class Answered:
    """One request: when it began (monotonic s), how long it took (s), what came."""

    began: float
    seconds: float
    status: int
    body: dict[str, object] = field(repr=False)


@dataclass
class Crowd:
    """Answers of all callers."""

    answers: list[Answered] = field(default_factory=list)
    _over: threading.Event = field(default_factory=threading.Event)

    def since(self, moment: float) -> list[Answered]:
        """Those that were not answered yet at `moment`, or began later."""
        return [answer for answer in list(self.answers) if answer.began + answer.seconds >= moment]

    def call(self, url: str, content: bytes) -> None:
        """Ask again and again; a broken connection is an error of the test."""
        with httpx.Client(timeout=60) as client:
            while not self._over.is_set():
                began = time.monotonic()
                response = client.post(url, content=content, headers={"Content-Type": "image/jpeg"})
                spent = time.monotonic() - began
                self.answers.append(Answered(began, spent, response.status_code, response.json()))
                if response.status_code != 200:
                    time.sleep(0.05)

    def leave(self) -> None:
        """No more calls."""
        self._over.set()


@contextmanager
def crowd(url: str, content: bytes, callers: int) -> Iterator[Crowd]:
    """Callers in threads, for as long as the block lasts."""
    people = Crowd()
    threads = [threading.Thread(target=people.call, args=(url, content)) for _ in range(callers)]
    for thread in threads:
        thread.start()
    try:
        yield people
    finally:
        people.leave()
        for thread in threads:
            thread.join(90)
        assert not any(thread.is_alive() for thread in threads), "a request hangs"
