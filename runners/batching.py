"""Joins what concurrent requests bring for one model into one run.

No thread of its own and no timer for a lone caller: the wait is the run before. A call that finds the model idle runs
at once. One that finds it busy leads the next batch: it waits for that run to end, at most `wait` seconds and at most
until the batch is full, and takes along who has come meanwhile.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import Future

import numpy as np

from facesocial.configuration import CpuSettings
from facesocial.errors import ModelIntegrityError
from models.spec import ModelSpec
from runners.core import Computed, Core
from vram_policy.lease import Array


def joined(core: Core, spec: ModelSpec, cpu: CpuSettings) -> Core:
    """`core`, joining its calls where the configuration says so and the graph takes several items."""
    if cpu.batch_wait_ms and spec.dynamic_batch:
        return JoiningCore(core, cpu.batch, cpu.batch_wait_ms / 1000)
    return core


class JoiningCore:
    """Runs `core` on the rows of several callers at once; each gets its own rows back, or the error of the run.

    For graphs with a dynamic batch only. `most` rows enter one run; `wait` (seconds) bounds what a call waits for
    others. A card pads what was joined to its own few batch sizes (`runners.sessions.CardSession`).
    """

    def __init__(self, core: Core, most: int, wait: float) -> None:
        self._core = core
        self._most = most
        self._wait = wait
        self._changed = threading.Condition()
        self._open: _Batch | None = None
        self._running = 0

    def run(self, inputs: Sequence[Array]) -> Computed:
        """See `Core.run`.

        Raises:
            ModelIntegrityError: the network's output has no row per item, so that it cannot be shared out.
        """
        with self._changed:
            batch = self._open
            if batch is not None and batch.takes(inputs, self._most):
                place = batch.add(inputs)
            else:  # whoever leads the one before finds it replaced, and goes
                batch, place = _Batch(inputs), 0
                self._open = batch
            self._changed.notify_all()
        if place == 0:
            self._lead(batch)
        return batch.share(place)

    def retire(self) -> None:
        """See `Core.retire`."""
        self._core.retire()

    def _lead(self, batch: _Batch) -> None:
        try:
            self._await_turn(batch)
            batch.done.set_result(self._core.run(batch.joined()))
        except BaseException as error:  # noqa: BLE001 — each caller raises it from `share`, the leader too
            batch.done.set_exception(error)
        finally:
            with self._changed:
                self._running -= 1
                self._changed.notify_all()

    def _await_turn(self, batch: _Batch) -> None:
        """Afterwards the batch takes nobody any more, and counts as running."""
        with self._changed:
            try:
                self._changed.wait_for(
                    lambda: not self._running or self._open is not batch or batch.rows >= self._most, self._wait
                )
            finally:
                if self._open is batch:
                    self._open = None
                self._running += 1


class _Batch:
    """Calls that run together. Filled under the lock of the core, then read only."""

    def __init__(self, inputs: Sequence[Array]) -> None:
        self._calls = [inputs]
        self._starts = [0, len(inputs[0])]
        self.done: Future[Computed] = Future()

    @property
    def rows(self) -> int:
        return self._starts[-1]

    def takes(self, inputs: Sequence[Array], most: int) -> bool:
        """Whether there is room, and the rows are of one shape."""
        alike = all(
            ours.shape[1:] == theirs.shape[1:] and ours.dtype == theirs.dtype
            for ours, theirs in zip(self._calls[0], inputs, strict=True)
        )
        return alike and self.rows + len(inputs[0]) <= most

    def add(self, inputs: Sequence[Array]) -> int:
        """Place of the call in the batch."""
        self._calls.append(inputs)
        self._starts.append(self.rows + len(inputs[0]))
        return len(self._calls) - 1

    def joined(self) -> Sequence[Array]:
        """One array per input, the calls one after the other."""
        if len(self._calls) == 1:
            return self._calls[0]
        return [np.concatenate(arrays) for arrays in zip(*self._calls, strict=True)]

    def share(self, place: int) -> Computed:
        """The rows of one call, once the run has ended."""
        computed = self.done.result()
        if len(self._calls) == 1:
            return computed
        start, end = self._starts[place : place + 2]
        for name, output in computed.outputs.items():
            if len(output) != self.rows:
                raise ModelIntegrityError(f"output {name!r} has {len(output)} rows for {self.rows} items")
        return Computed({name: output[start:end] for name, output in computed.outputs.items()}, computed.device)
