"""What the operating system decides: where inner calls would go over TCP, and what a worker does without its parent."""

from __future__ import annotations

import ctypes
import signal
import sys
from collections.abc import Mapping
from typing import Final

from facesocial.errors import ConfigurationError

TCP_VARIABLE: Final = "BENTOML_NO_UDS"
"""Set to anything, it makes BentoML listen on loopback TCP instead of Unix sockets."""


def is_wsl(release: str) -> bool:
    """Whether `platform.release()` is WSL2's kernel. BentoML's own rule, since its own decision is what matters."""
    return "microsoft-standard" in release


def refuse_unsafe_sockets(environment: Mapping[str, str], release: str, processes: bool) -> None:
    """Check before anything listens. `processes`: whether the placement has services in processes of their own.

    Raises:
        ConfigurationError: calls between processes would go over TCP; the reason and the way out are in the message.
    """
    if TCP_VARIABLE in environment:
        raise ConfigurationError(f"{TCP_VARIABLE} is set: calls between our processes would go over TCP; unset it")
    if processes and is_wsl(release):
        raise ConfigurationError(
            "under WSL2 calls between our processes would go over TCP: only `placement: embedded` is served there, "
            "with `cpu_lane: off` or auto"
        )


PR_SET_PDEATHSIG: Final = 1
"""prctl(2)."""


def end_with_parent() -> None:
    """Have Linux send SIGTERM when the supervisor dies, also by kill -9: nobody would start a dead process again."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
