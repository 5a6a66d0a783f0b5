"""ONNX Runtime, and nothing else of the product, lives here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import onnxruntime as ort

from facesocial.configuration import CpuSettings
from facesocial.errors import ModelIntegrityError
from models.store import InstalledModel
from vram_policy import Session
from vram_policy.footprint import Profile, estimate
from vram_policy.lease import Array
from vram_policy.zones import Zone


class OnnxSession:
    """One loaded network on one device."""

    def __init__(self, session: ort.InferenceSession) -> None:
        self._session = session
        self._inputs = [entry.name for entry in session.get_inputs()]
        self._outputs = [output.name for output in session.get_outputs()]

    def run(self, inputs: Sequence[Array]) -> dict[str, Array]:
        """See `vram_policy.Session`; the GIL is free while it computes."""
        feeds = dict(zip(self._inputs, inputs, strict=True))
        return dict(zip(self._outputs, self._session.run(None, feeds), strict=True))

    def close(self) -> None:
        """See `vram_policy.Session`."""
        del self._session


def cpu_options(cpu: CpuSettings) -> ort.SessionOptions:
    """Session options for the CPU.

    Threads do not spin: sessions that each spin a pool of their own starve one another (12 ms alone, 43 ms beside two
    others, measured on two cores).
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = cpu.session_threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    options.log_severity_level = 3  # exported SCRFD graphs warn about their own shapes on every run
    return options


@dataclass(frozen=True, slots=True)
class OnnxModel:
    """An installed ONNX file that the arbiter can bring onto a device."""

    installed: InstalledModel
    cpu: CpuSettings

    @property
    def tag(self) -> str:
        """Name and digest, as registered."""
        return self.installed.tag

    @property
    def zone(self) -> Zone:
        """The zone of the VRAM policy."""
        return self.installed.spec.zone

    @property
    def pin(self) -> bool:
        """Whether it is never evicted."""
        return self.installed.spec.pin

    def profile(self, card: str) -> Profile:  # noqa: ARG002 — nothing was measured yet
        """See `vram_policy.Loadable`."""
        return estimate(self.installed.path.stat().st_size, 0)

    def warm(self, session: Session) -> None:
        """See `vram_policy.Loadable`."""

    def open(self, device: str) -> Session:
        """Verify the file's digest and load it.

        Raises:
            ModelIntegrityError: the file is not the registered one, or ONNX Runtime cannot read it.
        """
        if device != "cpu":
            raise ValueError(f"no session for device {device!r}")
        content = self.installed.read()
        try:
            session = ort.InferenceSession(content, cpu_options(self.cpu), providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime's exceptions share no base class but Exception
            raise ModelIntegrityError(f"{self.tag} cannot be loaded: {type(error).__name__}") from error
        return OnnxSession(session)
