"""Log lines are JSON on stderr at the level asked for."""

from __future__ import annotations

import json

import pytest
import structlog

from facesocial.configuration import LoggingSettings
from facesocial.logging import configure_logging

pytestmark = pytest.mark.unit


@pytest.fixture(autouse=True)
def _restore():  # type: ignore[no-untyped-def]
    yield
    structlog.reset_defaults()


def test_json_lines_at_the_level(capsys: pytest.CaptureFixture[str]) -> None:
    """Below the level nothing, at it one JSON object a line, nothing on stdout."""
    configure_logging(LoggingSettings(level="warning"))
    log = structlog.get_logger("test")
    log.info("quiet")
    log.warning("loud", code=7)
    written = capsys.readouterr()
    line = json.loads(written.err)
    assert written.out == ""
    assert (line["event"], line["code"], line["level"]) == ("loud", 7, "warning")


def test_text_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    """The other format is not JSON."""
    configure_logging(LoggingSettings(format="text"))
    structlog.get_logger("test").info("hello")
    assert "hello" in capsys.readouterr().err
