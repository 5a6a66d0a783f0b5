"""One tree; each code of the service has its class."""

from __future__ import annotations

import pickle

import pytest

import facesocial_client
from facesocial_client import (
    FaceSocialError,
    Forbidden,
    InvalidReply,
    InvalidRequest,
    NotReady,
    RateLimited,
    ServiceError,
    Unauthenticated,
)
from facesocial_client.errors import kind_of
from services.edge.problems import STATUS

pytestmark = pytest.mark.unit

PUBLIC = [getattr(facesocial_client, name) for name in facesocial_client.__all__]
ERRORS = [member for member in PUBLIC if isinstance(member, type) and issubclass(member, FaceSocialError)]


@pytest.mark.parametrize("code", STATUS)
def test_every_code_of_the_service_has_a_class(code: str) -> None:
    kind = kind_of(STATUS[code], code)
    assert kind.code == code
    assert kind in ERRORS
    if kind not in (RateLimited, Unauthenticated):
        assert issubclass(kind, InvalidRequest) == (STATUS[code] < 500)
        assert issubclass(kind, ServiceError) == (STATUS[code] >= 500)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (301, InvalidReply),
        (400, InvalidRequest),
        (401, Unauthenticated),
        (403, Forbidden),
        (418, InvalidRequest),
        (429, RateLimited),
        (502, ServiceError),
        (503, NotReady),
    ],
)
def test_an_unknown_code_is_judged_by_its_status(status: int, kind: type[FaceSocialError]) -> None:
    assert kind_of(status, "brand_new") is kind_of(status, None) is kind


def test_codes_are_unique_and_the_docstring_has_every_class() -> None:
    assert len({kind.code for kind in ERRORS}) == len(ERRORS)
    drawing = facesocial_client.errors.__doc__ or ""
    assert {kind.__name__ for kind in ERRORS} <= set(drawing.split())


def test_an_error_survives_a_process_border() -> None:
    error = RateLimited("because", status=429, request_id="r1", retry_after=3)
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is RateLimited
    assert vars(again) == vars(error)
    assert str(again) == "because"


def test_the_public_face_is_sorted_and_complete() -> None:
    assert facesocial_client.__all__ == sorted(facesocial_client.__all__)
