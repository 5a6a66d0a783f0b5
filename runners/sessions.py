"""ONNX Runtime, and nothing else of the product, lives here."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache, cached_property
from importlib.util import find_spec
from typing import Final

import numpy as np
import onnxruntime as ort
import structlog

from facesocial.configuration import CpuSettings
from facesocial.errors import DeviceLost, ModelIntegrityError
from models import profiles
from models.signature import Input, inputs
from models.store import InstalledModel
from runners.card_session import CardSession
from runners.cuda import ENTRIES, OPTIONS, PROVIDER, fault, provider_options
from runners.lanes import lanes
from runners.shapes import Shapes, batches, permitted, volume
from vram_policy import Costs, Footprint, Profile, Session
from vram_policy.footprint import estimate
from vram_policy.lease import CPU, Array
from vram_policy.zones import Zone

log = structlog.get_logger(__name__)

HEAVY: Final = frozenset({"Conv", "FusedConv", "Gemm", "FusedGemm", "MatMul", "QLinearConv", "ConvInteger"})
"""Operators that have no business on the CPU; those that compute shapes are put there on purpose."""


class OnnxSession:
    """One loaded network on the CPU."""

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


class OnnxModel:
    """An installed ONNX file that the arbiter can bring onto a device.

    Args:
        installed: the model.
        cpu: how many threads a session has, and how many rows a run.
    """

    def __init__(self, installed: InstalledModel, cpu: CpuSettings) -> None:
        self.installed: Final = installed
        self._cpu = cpu
        self._profiles: dict[str, Profile] = {}

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

    @cached_property
    def shapes(self) -> tuple[Shapes, ...]:
        """Every shape it will be run with, the largest first."""
        return permitted(self.installed.spec, self._inputs, self._cpu.batch)

    def key(self, card: str) -> profiles.Key:
        """Under which its profile on cards of this name is kept; all simulated cards are one."""
        simulated = card.startswith(profiles.SIMULATED)
        return profiles.Key(
            digest=self.installed.sha256,
            device=profiles.SIMULATED if simulated else card,
            runtime=ort.__version__,
            options={} if simulated else OPTIONS,
            batch=self._batches[-1],
        )

    def profile(self, card: str) -> Profile:
        """See `vram_policy.Loadable`; looked up once."""
        if card not in self._profiles:
            known = profiles.read(self.installed, self.key(card))
            self._profiles[card] = (
                estimate(self.installed.path.stat().st_size, volume(self.shapes[0]), self._batches[-1])
                if known is None
                else Profile(
                    Footprint(known.weights, known.peak, known.steady),
                    Costs(known.cpu, known.gpu, known.load, known.load_cpu, known.unload),
                    measured=True,
                )
            )
        return self._profiles[card]

    def warm(self, session: Session) -> None:
        """See `vram_policy.Loadable`. On the CPU the largest shape and the smallest stand for all of them."""
        if isinstance(session, CardSession):
            for shapes in self.shapes:
                session.warm(blank(shapes))
        else:
            for shapes in dict.fromkeys((self.shapes[0], self.shapes[-1])):
                session.run(blank(shapes))

    def open(self, device: str) -> Session:
        """Verify the file's digest and load it onto `cpu` or `cuda:N`.

        A simulated card opens `cpu` itself.

        Raises:
            ModelIntegrityError: the file is not the registered one, or ONNX Runtime cannot read it.
            OutOfDeviceMemory, DeviceLost: the card has no room, or does not work in this process; DeviceError: else.
        """
        if device == CPU:
            return OnnxSession(self._opened(cpu_options(self._cpu), "CPUExecutionProvider"))
        named = re.fullmatch(r"cuda:(\d+)", device)
        if not named:
            raise ValueError(f"no session for device {device!r}")
        return self._open_on_card(int(named[1]))

    def _open_on_card(self, ordinal: int) -> Session:
        """The arena gets no more than was measured; an estimate bounds nothing, or it could never be corrected."""
        _prepare_cuda()
        options = cpu_options(self._cpu)
        for entry, value in ENTRIES.items():
            options.add_session_config_entry(entry, value)
        limit = max((one.footprint.peak for one in self._profiles.values() if one.measured), default=None)
        session = self._opened(options, (PROVIDER, provider_options(ordinal, limit)))
        session.disable_fallback()
        if session.get_providers()[0] != PROVIDER:  # its libraries did not load: ONNX Runtime only warns
            raise DeviceLost("the libraries of the card cannot be loaded")
        self._report_cpu_nodes(session)
        return CardSession(OnnxSession(session), lanes(ordinal), self.zone, self._batches)

    def _opened(self, options: ort.SessionOptions, provider: str | tuple[str, dict[str, str]]) -> ort.InferenceSession:
        content = self.installed.read()
        try:
            return ort.InferenceSession(content, options, providers=[provider], enable_fallback=0)
        except Exception as error:  # noqa: BLE001 — ONNX Runtime's exceptions share no other base class
            kind = None if isinstance(provider, str) else fault(str(error))
            text = f"{self.tag} cannot be loaded: {type(error).__name__}"
            # its frames would keep the session, and so its memory, while somebody makes room
            raise (kind or ModelIntegrityError)(text) from error.with_traceback(None)

    def _report_cpu_nodes(self, session: ort.InferenceSession) -> None:
        """Nothing runs on the CPU unsaid.

        `session.disable_cpu_ep_fallback` would refuse every graph that computes a shape, which ONNX Runtime itself puts
        on the CPU because it is faster there.
        """
        parts = [part for part in session.get_provider_graph_assignment_info() if part.ep_name != PROVIDER]
        operators = sorted({node.op_type for part in parts for node in part.get_nodes()})
        say = log.warning if HEAVY & set(operators) else log.debug
        if operators:
            say("part of a network on a card runs on the CPU", model=self.tag, operators=operators)

    @cached_property
    def _inputs(self) -> tuple[Input, ...]:
        return inputs(self.installed.read())

    @cached_property
    def _batches(self) -> tuple[int, ...]:
        return batches(self.installed.spec, self._inputs, self._cpu.batch)


def blank(shapes: Shapes) -> list[Array]:
    """Inputs of these shapes."""
    return [np.zeros(shape, np.float32) for shape in shapes]


def supports_cuda() -> bool:
    """Whether the installed ONNX Runtime was built for cards."""
    return PROVIDER in ort.get_available_providers()


@cache
def _prepare_cuda() -> None:
    """Let ONNX Runtime find the CUDA libraries that came as Python packages.

    Raises:
        DeviceLost: this ONNX Runtime was built without CUDA.
    """
    if not supports_cuda():
        raise DeviceLost("this installation has no support for cards: install the extra gpu")
    if find_spec("nvidia") is not None:
        ort.preload_dlls()
