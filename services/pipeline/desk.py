"""Where an inquiry is answered: one desk in each process that runs the pipeline; the edge knows no more than `Desk`."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, Protocol

from facesocial.capabilities import Capability, Task
from facesocial.configuration import Configuration
from facesocial.errors import DeadlineExceeded, ModelIntegrityError, NotReady, UnsupportedMediaType
from runners.library import RunnerLibrary
from runners.serving import Serving
from services.pipeline.header import read_header
from services.pipeline.inquiry import EncodedImage, Inquiry
from services.pipeline.picture import Picture
from services.pipeline.pipeline import Pipeline
from services.pipeline.report import Findings, Report
from services.pipeline.turns import Turns
from services.readiness import Readiness, State

SYNONYMS: Final = {"image/jpg": "image/jpeg", "image/pjpeg": "image/jpeg", "image/x-png": "image/png"}
UNDECLARED: Final = ("", "application/octet-stream", "image/*")


class Desk(Protocol):
    """Answers inquiries, here or in another process."""

    async def ask(self, inquiry: Inquiry) -> Findings:
        """Findings, in any time: the deadline is the caller's to watch.

        Raises:
            InputError: a picture cannot be used.
            ModelNotInstalled: nothing serves detection or one of the tasks.
            Overloaded: too many wait already.
            NotReady: the process that answers is not there.
        """
        ...

    async def state(self) -> State:
        """Whether it can answer, and what it must do without."""
        ...

    def close(self) -> None:
        """Let running work end and start no more."""
        ...


@dataclass(frozen=True, slots=True)
class LocalDesk:
    """The pipeline of this process, in a pool of threads."""

    runners: RunnerLibrary
    pipeline: Pipeline
    readiness: Readiness
    configuration: Configuration
    turns: Turns
    threads: ThreadPoolExecutor

    async def ask(self, inquiry: Inquiry) -> Findings:
        """See `Desk.ask`; giving up ends the waiting, not the network that runs, whose place and leases stay taken."""
        await self.turns.enter(inquiry.cost)
        loop, began, abandoned = asyncio.get_running_loop(), time.monotonic(), threading.Event()
        try:
            work = self.threads.submit(self._answer, inquiry, abandoned)
        except RuntimeError as error:
            self.turns.leave(inquiry.cost, 0)
            raise NotReady("shutting down") from error

        def leave(_: object) -> None:
            loop.call_soon_threadsafe(self.turns.leave, inquiry.cost, time.monotonic() - began)

        work.add_done_callback(leave)
        try:
            return await asyncio.wrap_future(work)
        finally:
            abandoned.set()

    async def state(self) -> State:
        """See `Desk.state`."""
        return self.readiness.state

    def close(self) -> None:
        """See `Desk.close`."""
        self.readiness.close()
        self.threads.shutdown(wait=True)  # whose turn has come is answered
        self.pipeline.close()

    def _answer(self, inquiry: Inquiry, abandoned: threading.Event) -> Findings:
        serving = self.runners.serving
        tasks = self._installed_defaults(serving) if inquiry.tasks is None else tuple(dict.fromkeys(inquiry.tasks))
        specs = {Capability.DETECTION.alias: serving.detector().adapter.spec}
        specs |= {task.capability.alias: serving.of(task.capability).adapter.spec for task in tasks}
        pipeline = self.pipeline.on(serving)
        try:
            reports = tuple(self._report(pipeline, inquiry, tasks, image, abandoned) for image in inquiry.images)
        except ModelIntegrityError as error:  # found when its session was opened; readiness finds it too
            raise NotReady("a model cannot be loaded now; /readyz says which") from error
        return Findings(
            reports,
            tasks,
            {alias: spec.caveat for alias, spec in specs.items() if spec.caveat},
            {alias: spec.threshold.value for alias, spec in specs.items() if spec.threshold},
        )

    def _report(
        self,
        pipeline: Pipeline,
        inquiry: Inquiry,
        tasks: Sequence[Task],
        image: EncodedImage,
        abandoned: threading.Event,
    ) -> Report:
        picture = self._open(image)
        found = pipeline.detect(picture, inquiry.min_score, inquiry.max_faces)
        if abandoned.is_set():
            raise DeadlineExceeded("nobody waits any more")  # and nobody reads it
        if inquiry.largest_only:
            found = found.largest()
        return pipeline.describe(picture, found, tasks) if tasks else found

    def _open(self, image: EncodedImage) -> Picture:
        """A picture whose header has passed the gate and whose declared type is true.

        Raises:
            InputError: see `read_header`; `UnsupportedMediaType` also when content and declaration differ.
        """
        header = read_header(image.content, self.configuration.limits)
        declared = SYNONYMS.get(image.declared, image.declared)
        if declared not in UNDECLARED and declared != f"image/{header.format}":
            raise UnsupportedMediaType(f"declared as {declared[:40]}, but the content is image/{header.format}")
        return Picture(image.content, header)

    def _installed_defaults(self, serving: Serving) -> tuple[Task, ...]:
        return tuple(task for task in self.configuration.models.tasks if serving.has(task.capability))
