"""A session on a card: few shapes, few threads, faults with names."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from facesocial.errors import ModelIntegrityError
from runners.cuda import fault
from runners.lanes import Lanes
from vram_policy import Session
from vram_policy.lease import Array
from vram_policy.zones import Zone


class CardSession:
    """One loaded network on a card: run in few shapes, on few threads, in the order of the zones.

    Args:
        session: opened on the card.
        lanes: of the card.
        zone: its place in the line.
        batches: rows a run may have, rising; a run of fewer is padded with zeros.
    """

    def __init__(self, session: Session, lanes: Lanes, zone: Zone, batches: Sequence[int]) -> None:
        self._session = session
        self._lanes = lanes
        self._zone = zone
        self._batches = batches

    def run(self, inputs: Sequence[Array]) -> dict[str, Array]:
        """See `vram_policy.Session`.

        Raises:
            OutOfDeviceMemory, DeviceLost: as there; DeviceError: the card failed in a way nobody knows.
            ModelIntegrityError: an output has no row per item, so that padding cannot be cut off.
        """
        rows = len(inputs[0])
        size = next((size for size in self._batches if size >= rows), rows)
        outputs = self._lanes.run(self._zone, partial(self._compute, [_padded(array, size) for array in inputs]))
        if size == rows:
            return outputs
        for name, output in outputs.items():
            if len(output) != size:
                raise ModelIntegrityError(f"output {name!r} has {len(output)} rows for {size} items")
        return {name: output[:rows] for name, output in outputs.items()}

    def warm(self, inputs: Sequence[Array]) -> None:
        """Run it on every thread of the card: each has handles of its own."""
        self._lanes.everywhere(partial(self._compute, inputs))

    def close(self) -> None:
        """See `vram_policy.Session`."""
        self._session.close()

    def _compute(self, inputs: Sequence[Array]) -> dict[str, Array]:
        try:
            return self._session.run(inputs)
        except Exception as error:  # ONNX Runtime's exceptions share no base class but Exception
            kind = fault(str(error))
            if kind is None:
                raise
            # its frames would keep the session, and so its memory, while somebody makes room
            raise kind("the card failed while a network ran") from error.with_traceback(None)


def _padded(array: Array, rows: int) -> Array:
    missing = rows - len(array)
    return np.concatenate([array, np.zeros((missing, *array.shape[1:]), array.dtype)]) if missing else array
