"""What a figure was measured on."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

PACKAGES: Final = ("onnxruntime", "onnxruntime-gpu", "opencv-python-headless", "numpy", "bentoml", "insightface")


@dataclass(frozen=True, slots=True)
class Machine:
    """`cores` this process may use; `load` is the one-minute load average before the run."""

    date: str
    cpu: str
    cores: int
    load: float
    python: str
    packages: dict[str, str]

    @classmethod
    def here(cls) -> Machine:
        """This machine, now."""
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        installed = {name: found for name in PACKAGES if (found := _version(name))}
        today = datetime.now(UTC).date().isoformat()
        return cls(today, _cpu(), cores, round(os.getloadavg()[0], 2), platform.python_version(), installed)

    def __str__(self) -> str:
        packages = ", ".join(f"{name} {number}" for name, number in self.packages.items())
        return f"{self.date}, {self.cpu}, {self.cores} cores, load {self.load} before; Python {self.python}, {packages}"


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _cpu() -> str:
    """The model as Linux names it, else what Python knows."""
    file = Path("/proc/cpuinfo")
    lines = file.read_text("utf-8").splitlines() if file.exists() else []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or platform.machine())
