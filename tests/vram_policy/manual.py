"""Time and threads that stand still until a test moves them."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from vram_policy.loader import Job


@dataclass
class Clock:
    """Seconds since the test began."""

    now: float = 1000.0

    def __call__(self) -> float:
        """Now."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Time goes on."""
        self.now += seconds


@dataclass
class ManualLoader:
    """Jobs go one step when told; a pause costs no time but what the clock is moved by."""

    jobs: deque[Job] = field(default_factory=deque)
    closed: bool = False

    def start(self, job: Job) -> None:
        """Queue it."""
        self.jobs.append(job)

    def close(self) -> None:
        """Forget the rest."""
        self.closed = True
        self.jobs.clear()

    def step(self, index: int = 0) -> bool:
        """One step of the job at `index`; whether there was one."""
        if not self.jobs:
            return False
        self.jobs.rotate(-(index % len(self.jobs)))
        job = self.jobs.popleft()
        try:
            next(job)
        except StopIteration:
            pass
        else:
            self.jobs.append(job)
        return True

    def finish(self, clock: Clock, pause: float = 0.01) -> None:
        """All jobs to their end, and those they start."""
        for _ in range(10_000):
            if not self.step():
                return
            clock.sleep(pause)
        raise AssertionError("jobs without end")
