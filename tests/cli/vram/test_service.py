"""Asking the service: every way in which it may not answer has words."""

from __future__ import annotations

from typing import Any

import pytest

from cli.vram.service import address, ask
from facesocial.errors import FaceSocialError, NotReady
from tests.cli.vram.conftest import Answering

pytestmark = pytest.mark.unit


def test_the_configuration_says_where(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACESOCIAL__SERVER__PORT", "4321")
    assert address(None) == "http://127.0.0.1:4321"
    assert address("http://elsewhere") == "http://elsewhere"


@pytest.mark.parametrize(
    ("status", "body", "kind", "words"),
    [
        (503, {"code": "not_ready", "detail": "its process is not there"}, NotReady, "its process is not there"),
        (403, {"code": "forbidden", "detail": "only for operators"}, FaceSocialError, "403 forbidden: only for oper"),
        (200, "<html>", FaceSocialError, "no FaceSocial answers"),
    ],
)
def test_refusals(answering: Answering, status: int, body: Any, kind: type[Exception], words: str) -> None:
    answering.pages["/x"] = status, body
    with pytest.raises(kind, match=words):
        ask(answering.url, "/x")


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "nonsense", "http://127.0.0.1:999999"])
def test_nobody_there(url: str) -> None:
    with pytest.raises(FaceSocialError, match="no FaceSocial answers"):
        ask(url, "/x")


def test_an_answer(answering: Answering) -> None:
    answering.pages["/x"] = 200, {"items": [{"a": 1}]}
    assert ask(answering.url, "/x") == [{"a": 1}]
