"""Where BentoML would carry calls between our processes over TCP, open to every user of the machine: we refuse."""

from __future__ import annotations

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
