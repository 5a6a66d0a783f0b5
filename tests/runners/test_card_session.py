"""A session on a card: padded, cut, and its faults named."""

from __future__ import annotations

import weakref
from collections.abc import Sequence

import numpy as np
import pytest

from facesocial.errors import DeviceError, DeviceLost, ModelIntegrityError, OutOfDeviceMemory
from runners.card_session import CardSession
from runners.lanes import Lanes
from runners.sessions import OnnxSession
from tests.runners.network import Network


def on_card(network: Network, batches: Sequence[int] = (1, 2, 4, 8, 16)) -> CardSession:
    """A session on a card that is a fake network."""
    return CardSession(OnnxSession(network), Lanes("test"), "high", batches)


@pytest.mark.unit
@pytest.mark.parametrize(("rows", "run"), [(1, 1), (2, 2), (3, 4), (5, 8), (9, 16), (16, 16), (20, 20)])
def test_a_card_runs_few_batch_sizes_and_gives_the_callers_rows(rows: int, run: int) -> None:
    network, given = Network(), np.arange(3 * rows, dtype=np.float32).reshape(rows, 3)
    outputs = on_card(network).run([given])
    assert network.shapes == [(run, 3)]
    np.testing.assert_array_equal(outputs["x"], given.sum(axis=1))


@pytest.mark.unit
def test_padding_that_cannot_be_cut_off_is_an_error() -> None:
    with pytest.raises(ModelIntegrityError, match="1 rows for 4 items"):
        on_card(Network(rows=1)).run([np.ones((3, 3), np.float32)])


@pytest.mark.unit
def test_a_fixed_batch_is_not_padded() -> None:
    network = Network()
    on_card(network, batches=(1,)).run([np.ones((1, 3), np.float32)])
    assert network.shapes == [(1, 3)]


@pytest.mark.unit
@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("Failed to allocate memory for requested buffer of size 1", OutOfDeviceMemory),
        ("CUDA failure 700: an illegal memory access was encountered", DeviceLost),
        ("CUDNN failure 5000: CUDNN_STATUS_EXECUTION_FAILED", DeviceError),
        ("INVALID_ARGUMENT : Got invalid dimensions", RuntimeError),
    ],
)
def test_what_fails_on_a_card_has_a_name(message: str, kind: type[Exception]) -> None:
    session = on_card(Network(RuntimeError(message)))
    with pytest.raises(kind) as raised:
        session.run([np.ones((1, 3), np.float32)])
    assert type(raised.value) is kind
    with pytest.raises(kind):
        session.warm([np.ones((1, 3), np.float32)])


@pytest.mark.unit
def test_a_closed_session_is_gone_while_its_error_is_still_held() -> None:
    """Or its memory would stay, while the arbiter makes room for the next try."""
    network = Network(RuntimeError("CUDA failure 2: out of memory"))
    session, alive = on_card(network), weakref.ref(network)
    del network
    with pytest.raises(OutOfDeviceMemory) as raised:
        session.run([np.ones((1, 3), np.float32)])
    session.close()
    assert raised.value.__cause__ is not None
    assert alive() is None
