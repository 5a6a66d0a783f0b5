"""The services of the inner processes. They take and give `facesocial.wire` bytes, over Unix sockets, and no pickles.

Which of them run is decided by `Resolution`; each that runs as a process of its own holds its lock while it lives.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any, BinaryIO, Final, TypeVar, cast

import bentoml
import structlog
from _bentoml_sdk import Service
from bentoml.validators import ContentType

from bentos.composition import desk_of_processes, local_desk
from bentos.placement import LANE, PIPELINE, runner_name
from bentos.presence import Presence, hold
from bentos.remote import Line, RunnersResidency
from bentos.setting import configuration, resolution
from bentos.vram import Recycler, residency_of
from facesocial import wire
from facesocial.capabilities import Capability
from facesocial.errors import FaceSocialError, ModelError
from models.library import Library
from runners.library import local_builder
from runners.remote import Bench, remote_builder
from services.pipeline.desk import LocalDesk
from services.pipeline.inquiry import Inquiry
from services.readiness import rehearse
from services.residency import Order, Residency

log = structlog.get_logger(__name__)

Octets = Annotated[bytes, ContentType("application/octet-stream")]

Kind = TypeVar("Kind")

OPTIONS: Final[dict[str, Any]] = {
    "runner_connection": {"max_requests": 10**9, "max_age": 1e9},  # BentoML's 100 kills calls in flight
    "traffic": {"timeout": 10**6},  # seconds; it must be a number, and the deadline is ours
    "logging": {"access": {"enabled": False}},  # the edge logs
}
"""Of every service of ours, the entry too."""


class _Desk:
    """The pipeline of a process of its own."""

    _lock: BinaryIO | None = None

    def __init__(self, name: str, desk: LocalDesk, residency: Residency) -> None:
        self._name = name
        self._desk = desk
        self._residency = residency
        desk.readiness.start(self._arrive)

    def _arrive(self) -> None:
        """Be there; not before everything is warm, for who calls would wait for it."""
        self._lock = hold(resolution.lock(self._name))

    def _leave(self) -> None:
        """Be there no more, if it ever was; what was begun comes to its end."""
        if self._lock:
            self._lock.close()

    @bentoml.on_shutdown
    async def close(self) -> None:
        """Let what runs come to its end; in a thread, for it may need this loop."""
        await asyncio.to_thread(self._desk.close)
        await asyncio.to_thread(self._residency.close)

    @bentoml.api
    async def ask(self, content: Octets, /) -> Octets:
        """Findings for an inquiry."""
        try:
            inquiry = wire.decode(content, Inquiry)
        except FaceSocialError as error:
            return wire.refusal(error)
        return await _replied(lambda: inquiry.deadline.bound(self._desk.ask(inquiry)), request_id=inquiry.request_id)

    @bentoml.api
    async def state(self, content: Octets, /) -> Octets:  # noqa: ARG002 — BentoML wants a body
        """Whether it can answer."""
        return await _replied(self._desk.state)

    @bentoml.api
    async def vram(self, content: Octets, /) -> Octets:
        """See `services.residency.Residency.obey`."""
        return await _obeyed(self._residency, content)


class _Pipeline(_Desk):
    """The pipeline with every model (`colocated`), or with a process for each capability (`isolated`)."""

    def __init__(self) -> None:
        if resolution.placement != "isolated":
            super().__init__(PIPELINE, *_local(PIPELINE, self._leave))
            return
        lines = {capability: _line(self, runner_name(capability)) for capability in Capability}
        loop, seconds = asyncio.get_running_loop(), configuration.server.deadline_ms / 1000
        sends = {capability: line.blocking("run", loop, seconds) for capability, line in lines.items()}

        def lost() -> set[Capability]:
            return {capability for capability, line in lines.items() if not line.alive}

        desk = desk_of_processes(configuration, remote_builder(sends), lost)
        owners: dict[Capability, Line] = {of: line for of, line in lines.items() if of is not Capability.MESH}
        super().__init__(PIPELINE, desk, RunnersResidency(owners))


class _Lane(_Desk):
    """Every model on the CPU, for when another process is gone."""

    def __init__(self) -> None:
        super().__init__(LANE, *_local(LANE, self._leave))


class _Runner:
    """The models of one capability."""

    capability: Capability
    _lock: BinaryIO | None = None

    def __init__(self) -> None:
        name, library = runner_name(self.capability), Library.open(configuration.models.starter)
        self._residency = residency_of(name, configuration, resolution, Recycler(name, resolution, self._leave))
        self._bench = Bench(self.capability, library, local_builder(self._residency.arbiter, configuration.cpu))
        self._threads = ThreadPoolExecutor(configuration.cpu.requests, thread_name_prefix="run")
        self._threads.submit(self._arrive)

    def _arrive(self) -> None:
        """Be there once the model that serves is warm, or cannot be: calls are then told why."""
        try:
            rehearse(self._bench.serving())
        except ModelError as error:
            log.warning("nothing to warm up", capability=self.capability.value, code=error.code)
        except Exception:
            log.exception("the model does not run", capability=self.capability.value)
        self._lock = hold(resolution.lock(runner_name(self.capability)))

    def _leave(self) -> None:
        """Be there no more, if it ever was; what was begun comes to its end."""
        if self._lock:
            self._lock.close()

    @bentoml.on_shutdown
    async def close(self) -> None:
        """Let what runs come to its end."""
        await asyncio.to_thread(self._threads.shutdown)
        await asyncio.to_thread(self._residency.close)

    @bentoml.api
    async def run(self, content: Octets, /) -> Octets:
        """See `runners.remote.Bench.answer`."""
        loop = asyncio.get_running_loop()
        return await _replied(lambda: loop.run_in_executor(self._threads, self._bench.answer, content))

    @bentoml.api
    async def vram(self, content: Octets, /) -> Octets:
        """See `services.residency.Residency.obey`."""
        return await _obeyed(self._residency, content)


def _local(name: str, leave: Callable[[], object]) -> tuple[LocalDesk, Residency]:
    """The whole pipeline in this process, and its cards."""
    residency = residency_of(name, configuration, resolution, Recycler(name, resolution, leave))
    return local_desk(configuration, residency.arbiter), residency


async def _obeyed(residency: Residency, content: bytes) -> bytes:
    async def reports() -> object:
        return await residency.obey(wire.decode(content, cast("type[Order]", Order)))

    return await _replied(reports)


async def _replied(work: Callable[[], Awaitable[object]], **known: str) -> bytes:
    """A reply with the result, or with the error; one that is not ours is told to the log alone, with what is known."""
    try:
        return wire.reply(await work())
    except FaceSocialError as error:
        return wire.refusal(error)
    except Exception:
        log.exception("unhandled", **known)
        return wire.refusal(FaceSocialError("an inner process met an unexpected error; its log has it"))


def _line(service: object, name: str) -> Line:
    """From the process of `service` to that of the inner service it depends on under this name."""
    return Line(getattr(service, name), Presence(resolution.lock(name), name))


def needing(kind: type[Kind], services: Mapping[str, Service[Any]]) -> type[Kind]:
    """`kind` with a dependency on each service, as the attribute of its name."""
    fields = {name: bentoml.depends(service) for name, service in services.items()}
    return type(kind.__name__, (kind,), {"__doc__": kind.__doc__, "__module__": kind.__module__, **fields})


def _options(name: str) -> dict[str, Any]:
    """Of an inner service: the card's share it is given, and which cards its process sees."""
    share, visible = resolution.share(name), resolution.visible(name)
    resources = {"resources": {"gpu": share}} if share else {}
    hidden = {"envs": [{"name": "CUDA_VISIBLE_DEVICES", "value": visible}]} if visible else {}
    return {"name": name, **OPTIONS, **resources, **hidden}


def _runner_service(capability: Capability) -> Service[_Runner]:
    kind = type(f"{capability.value.title()}Runner", (_Runner,), {"capability": capability, "__doc__": _Runner.__doc__})
    service: Service[_Runner] = bentoml.service(**_options(runner_name(capability)))(kind)
    return service


RUNNERS: Final = {runner_name(capability): _runner_service(capability) for capability in Capability}
PIPELINE_SERVICE: Final[Service[_Pipeline]] = bentoml.service(**_options(PIPELINE))(
    needing(_Pipeline, RUNNERS if resolution.placement == "isolated" else {})
)
LANE_SERVICE: Final[Service[_Lane]] = bentoml.service(**_options(LANE))(_Lane)


def services() -> dict[str, Service[Any]]:
    """What the entry depends on."""
    pipeline = {} if resolution.placement == "embedded" else {PIPELINE: PIPELINE_SERVICE}
    return pipeline | ({LANE: LANE_SERVICE} if resolution.lane else {})


def lines(entry: object) -> dict[str, Line]:
    """The lines from the entry's process to the inner ones, by service."""
    return {name: _line(entry, name) for name in services()}
