"""Error → problem+json: the table of api.md."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from facesocial.errors import (
    ConversionError,
    DeadlineExceeded,
    FaceSocialError,
    InputError,
    ModelNotInstalled,
    NotReady,
    Overloaded,
    RateLimited,
)
from services.edge.problems import MEDIA_TYPE, RETRY_SECONDS, STATUS, TITLES, internal, problem, problem_of

pytestmark = pytest.mark.unit

TABLE = {
    400: {"bad_request"},
    401: {"unauthenticated"},
    404: {"not_found"},
    405: {"method_not_allowed"},
    409: {"conflict"},
    413: {"payload_too_large", "image_too_large", "video_too_large"},
    415: {"unsupported_media_type"},
    422: {"file_expected", "image_truncated", "image_dimensions", "video_unreadable", "validation_error"},
    429: {"rate_limited"},
    503: {"overloaded", "not_ready", "model_not_installed"},
    504: {"deadline_exceeded"},
}


def _leaves(kind: type[FaceSocialError]) -> Iterator[type[FaceSocialError]]:
    for below in kind.__subclasses__():
        yield below
        yield from _leaves(below)


def test_every_code_of_the_table_has_its_status_and_a_title() -> None:
    assert {code: status for status, codes in TABLE.items() for code in codes} == STATUS_WITHOUT_DEFECTS
    assert STATUS.keys() == TITLES.keys()
    assert RETRY_SECONDS.keys() == {"not_ready", "overloaded"}


STATUS_WITHOUT_DEFECTS = {code: status for code, status in STATUS.items() if code != "internal"}


@pytest.mark.parametrize("kind", [*_leaves(InputError), DeadlineExceeded, ModelNotInstalled, NotReady, Overloaded])
def test_what_is_meant_for_callers_reaches_them(kind: type[FaceSocialError]) -> None:
    response = problem_of(kind("what happened"), "an-id")
    body = json.loads(bytes(response.body))
    assert body == {
        "type": f"urn:facesocial:problem:{kind.code}",
        "title": TITLES[kind.code],
        "status": response.status_code,
        "detail": "what happened",
        "code": kind.code,
        "request_id": "an-id",
    }
    assert response.media_type == MEDIA_TYPE
    assert response.status_code == STATUS[kind.code]
    assert ("retry-after" in response.headers) == (kind in (NotReady, Overloaded, RateLimited))


@pytest.mark.parametrize("error", [ConversionError("/secret/path"), FaceSocialError("cv2 says"), KeyError("secret")])
def test_what_is_not_meant_for_callers_does_not(error: Exception) -> None:
    response = problem_of(error, "an-id")
    assert response.status_code == 500
    assert response.body == internal("an-id").body
    assert str(error).encode() not in bytes(response.body)


def test_a_detail_is_escaped() -> None:
    assert json.loads(bytes(problem("not_found", '"\n\x00\u202e', "an-id").body))["detail"] == '"\n\x00\u202e'
