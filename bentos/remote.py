"""Calls to inner processes: through BentoML's proxy, raced against the process's presence, once more if need be."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import aiohttp
import structlog
from bentoml.exceptions import BentoMLException

from bentos.presence import Presence
from facesocial import wire
from facesocial.capabilities import Capability
from facesocial.errors import Conflict, NotReady, ProcessLost
from runners.remote import Send
from services.pipeline.desk import Desk
from services.pipeline.inquiry import Inquiry
from services.pipeline.report import Findings, open_findings
from services.readiness import State
from services.residency import Load, Look, Order, ProcessReport, Unload

log = structlog.get_logger(__name__)

STATE_SECONDS: Final = 1.0
"""How long `/readyz` waits for an inner process."""

SETTLE_SECONDS: Final = 0.2
"""A dying process closes its connections a moment before or after it lets go of its lock."""


class Line:
    """The way to the process of one inner service. `proxy` is what `bentoml.depends` gives."""

    def __init__(self, proxy: Any, presence: Presence) -> None:
        self._proxy = proxy
        self._presence = presence

    @property
    def name(self) -> str:
        """Of the service."""
        return self._presence.name

    @property
    def alive(self) -> bool:
        """Whether its process is there."""
        return self._presence.alive

    async def call(self, method: str, content: bytes) -> bytes:
        """The reply to `content`. A connection that breaks while the process lives is tried once more.

        Raises:
            ProcessLost: the process is not there, or went before it replied.
        """
        for _ in range(2):
            try:
                reply: bytes = await self._presence.during(self._proxy.to_async.call(method, content))
            except (aiohttp.ClientError, BentoMLException):  # among them: a kept-alive connection that was just closed
                await asyncio.sleep(SETTLE_SECONDS if self._presence.alive else 0)
            else:
                return reply
        raise ProcessLost(f"{self.name}: its process does not answer")

    def blocking(self, method: str, loop: asyncio.AbstractEventLoop, seconds: float) -> Send:
        """The same for threads, which wait so long at most; `loop` is the one the proxy belongs to."""

        def send(content: bytes) -> bytes:
            reply = asyncio.run_coroutine_threadsafe(self.call(method, content), loop)
            try:
                return reply.result(seconds)
            except TimeoutError as error:
                reply.cancel()
                raise NotReady(f"{self.name}: its process does not answer") from error

        return send


@dataclass(frozen=True, slots=True)
class RemoteDesk:
    """The pipeline of another process."""

    line: Line

    async def ask(self, inquiry: Inquiry) -> Findings:
        """See `Desk.ask`."""
        return open_findings(await self.line.call("ask", wire.encode(inquiry)))

    async def state(self) -> State:
        """See `Desk.state`."""
        try:
            async with asyncio.timeout(STATE_SECONDS):
                return wire.open_reply(await self.line.call("state", wire.encode(None)), State)
        except NotReady:
            return State(ready=False, reasons=(f"{self.line.name}: its process is not there",))
        except TimeoutError:
            return State(ready=False, reasons=(f"{self.line.name}: its process does not answer",))

    def close(self) -> None:
        """Its process closes itself."""


@dataclass(frozen=True, slots=True)
class RemoteResidency:
    """The cards of another process, or of those behind it."""

    line: Line

    async def obey(self, order: Order) -> tuple[ProcessReport, ...]:
        """See `Residency.obey`."""
        return wire.open_reply(await self.line.call("vram", wire.encode(order)), tuple[ProcessReport, ...])

    def close(self) -> None:
        """Its process closes itself."""


@dataclass(frozen=True, slots=True)
class RunnersResidency:
    """The cards of the processes that each hold one capability."""

    lines: Mapping[Capability, Line]

    async def obey(self, order: Order) -> tuple[ProcessReport, ...]:
        """See `Residency.obey`: a move goes to the process it concerns, the rest to all that are there."""
        if isinstance(order, Load | Unload):
            if order.capability not in self.lines:
                raise Conflict(f"{order.capability.alias} runs on the CPU alone")
            await RemoteResidency(self.lines[order.capability]).obey(order)
            order = Look()
        present = [RemoteResidency(line).obey(order) for line in self.lines.values() if line.alive]
        reports = await asyncio.gather(*present, return_exceptions=True)
        failed = [found for found in reports if isinstance(found, BaseException)]
        if failed and not isinstance(order, Look):  # what one process did not hear is not done
            raise failed[0]
        return tuple(report for found in reports if not isinstance(found, BaseException) for report in found)

    def close(self) -> None:
        """Their processes close themselves."""


@dataclass(frozen=True, slots=True)
class FailoverDesk:
    """`first`, and where that is not there the CPU lane, inside the request."""

    first: Desk
    lane: Desk

    async def ask(self, inquiry: Inquiry) -> Findings:
        """See `Desk.ask`."""
        try:
            return await self.first.ask(inquiry)
        except NotReady as error:
            log.warning("answered by the CPU lane", request_id=inquiry.request_id, reason=str(error))
            return await self.lane.ask(inquiry)

    async def state(self) -> State:
        """Ready when one of the two is; what the lane stands in for is degraded."""
        first, lane = await asyncio.gather(self.first.state(), self.lane.state())
        if first.ready:
            missing = () if lane.ready else tuple(f"CPU lane: {reason}" for reason in lane.reasons)
            return State(True, (), (*first.degraded, *missing), first.generation)
        if lane.ready:
            return State(True, (), (*first.reasons, *lane.degraded, "the CPU lane answers"), lane.generation)
        return first

    def close(self) -> None:
        """Both."""
        self.first.close()
        self.lane.close()
