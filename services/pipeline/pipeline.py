"""Decode once, detect once, cut each crop once, then every capability side by side on those crops."""

from __future__ import annotations

import copy
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, Protocol

from facesocial.capabilities import Capability, Task
from facesocial.results import Face, Image
from runners.base import Outcome, Runner, Views
from runners.crops import Crop
from runners.detection.base import DetectionRunner
from runners.mesh.face_landmarker import five_points
from services.pipeline.picture import Picture
from services.pipeline.report import FaceReport, Report

NO_CROP = "no_landmarks"
"""Reason given for a result that needs landmarks when the detector gives none."""

NOT_FOUND = "not_found"
"""Reason given when a network looked at the face and found nothing to answer."""


class Runners(Protocol):
    """Who answers a capability: a `Serving`, or the library with what serves now."""

    def detector(self) -> DetectionRunner:
        """Of `face-detection`, or ModelNotInstalled."""
        ...

    def of(self, capability: Capability) -> Runner[Any]:
        """Of a capability of faces, or ModelNotInstalled."""
        ...

    def has(self, capability: Capability) -> bool:
        """Whether there is one."""
        ...


class Pipeline:
    """Thread-safe: called by several requests at once. `workers` threads run capabilities side by side."""

    def __init__(self, runners: Runners, workers: int) -> None:
        self.runners = runners
        self._side_by_side = ThreadPoolExecutor(workers, thread_name_prefix="capability")

    def on(self, runners: Runners) -> Pipeline:
        """This pipeline with other runners; both share the threads."""
        other = copy.copy(self)
        other.runners = runners
        return other

    def close(self) -> None:
        """Let running work end and start no more."""
        self._side_by_side.shutdown(wait=True, cancel_futures=True)

    def detect(self, picture: Picture, min_score: float | None, max_faces: int) -> Report:
        """Faces by falling score; `min_score` None means the model's own.

        Raises:
            ModelNotInstalled: nothing serves `face-detection`.
            ImageTruncated: the pixels end early or are damaged.
        """
        started = time.perf_counter()
        detector = self.runners.detector()
        threshold = detector.adapter.spec.score_threshold if min_score is None else min_score
        outcome = detector.run(picture, 0.5 if threshold is None else threshold, max_faces)
        spent = time.perf_counter() - started
        found = Report(
            picture.width,
            picture.height,
            tuple(FaceReport(face) for face in outcome.results),
            {Capability.DETECTION.alias: detector.tag},
            {Capability.DETECTION: outcome.device},
            {"decode": picture.decode_seconds, "detection": spent - picture.decode_seconds},
        )
        return self._with_landmarks(picture, found)

    def _with_landmarks(self, picture: Picture, found: Report) -> Report:
        """Where the detector gives no landmarks: five points from the mesh on the box crop, if a mesh model serves.

        A face in whose crop MediaPipe sees none stays without. `Task.MESH` runs the mesh again: it wants no landmarks,
        and who asks for it with such a detector pays twice.
        """
        if all(one.face.landmarks is not None for one in found.faces) or not self.runners.has(Capability.MESH):
            return found
        seen = self.describe(picture, found, [Task.MESH])
        meshes = [one.results[Task.MESH] for one in seen.faces]
        faces = [
            replace(one.face, landmarks=five_points(mesh)) if mesh else one.face
            for one, mesh in zip(found.faces, meshes, strict=True)
        ]
        return replace(seen, faces=tuple(map(FaceReport, faces)))

    def analyze(
        self, picture: Picture, tasks: Sequence[Task], min_score: float | None = None, max_faces: int = 100
    ) -> Report:
        """Detect, then run `tasks` on every face.

        Raises:
            ModelNotInstalled: nothing serves detection or one of the tasks.
            ImageTruncated: the pixels end early or are damaged.
        """
        for task in tasks:
            self.runners.of(task.capability)
        found = self.detect(picture, min_score, max_faces)
        return self.describe(picture, found, tasks)

    def describe(self, picture: Picture, found: Report, tasks: Sequence[Task]) -> Report:
        """Run `tasks` on the faces of `found`, which may come from anywhere.

        Raises:
            ModelNotInstalled: nothing serves one of the tasks.
        """
        faces = [report.face for report in found.faces]
        runners = {task: self.runners.of(task.capability) for task in tasks}
        before, started = picture.decode_seconds, time.perf_counter()
        cutter = _Cutter(picture)
        views = {task: [cutter.cut(runner, face) for face in faces] for task, runner in runners.items()}
        seconds = dict(found.seconds)
        decoded = picture.decode_seconds - before
        seconds["decode"] = seconds.get("decode", 0.0) + decoded
        seconds["crops"] = seconds.get("crops", 0.0) + time.perf_counter() - started - decoded

        outcomes = self._run(runners, views)
        reports = tuple(FaceReport(face) for face in faces)
        models, devices = dict(found.models), dict(found.devices)
        for task, runner in runners.items():
            outcome, spent = outcomes[task]
            models[task.capability.alias] = runner.tag
            seconds[task.capability.value] = seconds.get(task.capability.value, 0.0) + spent
            if outcome.device:
                devices[task.capability] = outcome.device
            _file(task, runner, reports, views[task], outcome)
        return Report(found.width, found.height, reports, models, devices, seconds)

    def _run(
        self, runners: Mapping[Task, Runner[Any]], views: Mapping[Task, Sequence[Views | None]]
    ) -> dict[Task, tuple[Outcome[Any], float]]:
        """Side by side: the last task in this thread, which would only wait, the others in the pool.

        When one fails, those that have not begun never will: nobody waits for them, and others wait behind them.
        """
        seen = {task: [view for view in views[task] if view is not None] for task in runners}
        others = list(runners)[:-1]
        futures = {task: self._side_by_side.submit(_timed, runners[task], seen[task]) for task in others}
        try:
            here = {task: _timed(runners[task], seen[task]) for task in list(runners)[-1:]}
            return here | {task: future.result() for task, future in futures.items()}
        finally:
            for future in futures.values():
                future.cancel()


class _Cutter:
    """Cuts each crop of each face once, however many capabilities ask for it."""

    def __init__(self, picture: Picture) -> None:
        self._picture = picture
        self._known: dict[tuple[Crop, int], Image | None] = {}

    def cut(self, runner: Runner[Any], face: Face) -> Views | None:
        """What `runner` wants to see of `face`, or None when the face lacks what a crop needs."""
        crops = [self._crop(crop, face) for crop in runner.adapter.crops]
        present = tuple(crop for crop in crops if crop is not None)
        return present if len(present) == len(crops) else None

    def _crop(self, crop: Crop, face: Face) -> Image | None:
        key = crop, id(face)
        if key not in self._known:
            self._known[key] = crop.cut(self._picture, face)
        return self._known[key]


def _timed(runner: Runner[Any], views: Sequence[Views]) -> tuple[Outcome[Any], float]:
    started = time.perf_counter()
    outcome: Outcome[Any] = runner.run(views)
    return outcome, time.perf_counter() - started


def _file(
    task: Task,
    runner: Runner[Any],
    reports: Sequence[FaceReport],
    views: Sequence[Views | None],
    outcome: Outcome[Any],
) -> None:
    """Put each result into the report of its face."""
    results = iter(outcome.results)
    for report, view in zip(reports, views, strict=True):
        report.results[task] = None if view is None else runner.adapter.place(next(results), report.face)
        if report.results[task] is None:
            report.reasons[task] = NO_CROP if view is None else NOT_FOUND
