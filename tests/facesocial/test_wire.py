"""What crosses processes arrives as it was sent, or not at all."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from facesocial import errors, wire
from facesocial.capabilities import Capability
from facesocial.errors import FaceSocialError, ImageTruncated, Overloaded, RateLimited, ServiceError
from facesocial.results import Embedding, Face, Image, Tensor
from services.deadline import Deadline
from services.pipeline.inquiry import EncodedImage, Inquiry

pytestmark = pytest.mark.unit

shapes = arrays.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=8)


@dataclass(frozen=True, slots=True)
class Parcel:
    """Some of everything."""

    picture: Image
    points: Tensor | None
    devices: dict[Capability, str]
    content: bytes


@given(
    arrays.arrays(np.uint8, shapes),
    st.none() | arrays.arrays(np.float32, shapes),
    st.dictionaries(st.sampled_from(Capability), st.text()),
    st.binary(),
)
def test_everything_comes_back(picture: Image, points: Tensor | None, devices: Any, content: bytes) -> None:
    back = wire.decode(wire.encode(Parcel(picture, points, devices, content)), Parcel)
    assert back.picture.dtype == np.uint8
    assert np.array_equal(back.picture, picture)
    assert (back.points is None) == (points is None)
    if back.points is not None and points is not None:
        assert np.array_equal(back.points, points, equal_nan=True)
    assert back.devices == devices
    assert back.content == content


def test_a_part_of_an_array_crosses_as_that_part() -> None:
    """Not contiguous in memory, contiguous on the wire."""
    whole = np.arange(60, dtype=np.float32).reshape(5, 12)
    back = wire.decode(wire.encode(Face((0, 0, 1, 1), 1.0, whole[:, 2:4])), Face)
    assert back.landmarks is not None
    assert np.array_equal(back.landmarks, whole[:, 2:4])


def test_arrays_inside_untyped_mappings() -> None:
    """Decoded as `Any` first, as what they are when somebody knows."""
    back = wire.decode(wire.encode({"embed": Embedding("a", np.ones(2, np.float32))}), dict[str, Any])
    assert np.array_equal(wire.convert(back["embed"], Embedding).vector, [1, 1])
    with pytest.raises(ServiceError):
        wire.convert(back["embed"], Face)


def test_another_dtype_does_not_cross() -> None:
    with pytest.raises(NotImplementedError):
        wire.encode(np.zeros(3, np.float64))
    with pytest.raises(ServiceError):
        wire.decode(wire.encode({"contract": "a", "vector": np.zeros(3, np.uint8)}), Embedding)


def _extension(data: bytes, code: int = 1) -> bytes:
    return msgspec.msgpack.encode(msgspec.msgpack.Ext(code, data))


def _shaped(shape: tuple[int, ...]) -> bytes:
    head = msgspec.msgpack.encode(("<f4", shape))
    return _extension(bytes([len(head)]) + head)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xc1",
        pickle.dumps([1]),
        _extension(b""),
        _extension(b"\x00"),
        _extension(b"\x05" + msgspec.msgpack.encode(("<f4", (2,))) + b"1234"),
        _extension(b"\x05" + msgspec.msgpack.encode(("<f8", (1,))) + b"12345678"),
        _extension(b"\x05" + msgspec.msgpack.encode(("<f4", (-1,))) + b"1234"),
        _extension(b"1234", code=7),
        *(_shaped(shape) for shape in ((1,) * 70, (2**63, 0), (2**62, 2**62, 0), (0, -1))),
    ],
)
def test_what_is_none_of_ours_is_refused(content: bytes) -> None:
    with pytest.raises(ServiceError):
        wire.decode(content, Tensor)


@given(st.binary(max_size=200))
def test_random_bytes_are_refused_or_read(content: bytes) -> None:
    """No other error than ours, whatever arrives."""
    try:
        wire.open_reply(content, Parcel)
    except FaceSocialError:
        return
    pytest.fail("nobody makes a parcel by chance")


def test_replies() -> None:
    assert wire.open_reply(wire.reply([1, 2]), list[int]) == [1, 2]
    with pytest.raises(ImageTruncated, match="ends early"):
        wire.open_reply(wire.refusal(ImageTruncated("ends early")), list[int])


def _classes(kind: type[FaceSocialError]) -> list[type[FaceSocialError]]:
    return [kind, *(below for child in kind.__subclasses__() for below in _classes(child))]


def test_every_error_keeps_its_code() -> None:
    """The class too, unless a parent has the same code."""
    for kind in _classes(FaceSocialError):
        if kind.__module__ == errors.__name__:
            with pytest.raises(FaceSocialError) as caught:
                wire.open_reply(wire.refusal(kind("why")), int)
            assert caught.value.code == kind.code
            assert issubclass(kind, type(caught.value))
            assert str(caught.value) == "why"


@pytest.mark.parametrize("seconds", [None, 1, 30])
def test_when_it_is_worth_trying_again_crosses(seconds: int | None) -> None:
    for error in (Overloaded("full", seconds), FaceSocialError("x"), RateLimited("slower", 5, seconds or 1)):
        error.retry_after = seconds
        with pytest.raises(type(error)) as caught:
            wire.open_reply(wire.refusal(error), int)
        assert caught.value.retry_after == seconds


def test_the_deadline_crosses() -> None:
    """At the same moment of the same clock, and the seconds that its message names."""
    inquiry = Inquiry("an-id", (EncodedImage(b"content", ""),), Deadline(12.5, 30.0))
    assert wire.decode(wire.encode(inquiry), Inquiry) == inquiry
