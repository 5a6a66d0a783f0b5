"""Log lines are JSON on stderr at the level asked for, whoever writes them, and say nothing of what was sent."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import pytest
import structlog

from facesocial.configuration import LoggingSettings
from facesocial.errors import BadRequest
from facesocial.logging import configure_logging

pytestmark = pytest.mark.unit

MARKER = "aHVudGVyMmh1bnRlcjI"
"""In everything that is written here."""


@pytest.fixture(autouse=True)
def _restore() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    hooks = sys.excepthook, threading.excepthook, sys.unraisablehook
    yield
    logging.captureWarnings(False)
    root.handlers[:] = handlers
    root.setLevel(level)
    sys.excepthook, threading.excepthook, sys.unraisablehook = hooks
    structlog.reset_defaults()


def configured(capsys: pytest.CaptureFixture[str]) -> Callable[[], list[dict[str, Any]]]:
    """Reads what was written since, each line as JSON; nothing was on stdout."""
    configure_logging(LoggingSettings())

    def read() -> list[dict[str, Any]]:
        written = capsys.readouterr()
        assert written.out == ""
        assert MARKER not in written.err
        assert "hunter2" not in written.err
        return [json.loads(line) for line in written.err.splitlines()]

    return read


def fail() -> NoReturn:
    """An exception that tells everything."""
    raise ValueError(f"hunter2 {MARKER}")


def test_json_lines_at_the_level(capsys: pytest.CaptureFixture[str]) -> None:
    """Below the level nothing, at it one JSON object a line, nothing on stdout."""
    configure_logging(LoggingSettings(level="warning"))
    log = structlog.get_logger("test")
    log.info("quiet")
    log.warning("loud", code=7)
    logging.getLogger("theirs").info("quiet")
    written = capsys.readouterr()
    line = json.loads(written.err)
    assert written.out == ""
    assert (line["event"], line["code"], line["level"]) == ("loud", 7, "warning")


def test_text_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    """The other format is not JSON, and as silent."""
    configure_logging(LoggingSettings(format="text"))
    structlog.get_logger("test").info("hello", image=b"hunter2")
    try:
        fail()
    except ValueError:
        structlog.get_logger("test").exception("unhandled", name=MARKER)
    written = capsys.readouterr().err
    assert "hello" in written
    assert "test_text_for_people" in written
    assert "hunter2" not in written
    assert MARKER not in written


def test_an_exception_is_outlined(capsys: pytest.CaptureFixture[str]) -> None:
    lines = configured(capsys)
    try:
        fail()
    except ValueError as error:
        structlog.get_logger("test").exception("unhandled", reason=error)
        logging.getLogger("theirs").exception("failed for %s", error)  # noqa: TRY401 — as others do
    ours, theirs = lines()
    assert (ours["event"], ours["reason"], ours["exception"][0]) == ("unhandled", "ValueError", "ValueError")
    assert ours["exception"][-1].endswith(" fail")
    assert (theirs["event"], theirs["exception"], theirs["logger"]) == (
        "failed for ValueError",
        ours["exception"],
        "theirs",
    )


def test_our_own_errors_keep_their_words(capsys: pytest.CaptureFixture[str]) -> None:
    lines = configured(capsys)
    structlog.get_logger("test").warning("refused", reason=BadRequest("a part is given twice"))
    assert lines()[0]["reason"] == "BadRequest: a part is given twice"


@pytest.mark.parametrize(
    ("message", "arguments", "shown"),
    [
        ("%s asked for %s: %d", ("anna", MARKER, 404), "anna asked for <word 19>: 404"),
        ("%(what)s", ({"what": MARKER},), "<word 19>"),
        ("%d pixels", (MARKER,), "<word 2> pixels"),
        ("got %r", (b"hunter2",), "got '<bytes 7>'"),
        (f"Task failed\nhunter2 {MARKER}", (), "Task failed"),
        (ValueError("hunter2"), (), "ValueError"),
        ("a query: %s", ("/v1/detect?name=hunter2",), "a query: /v1/detect?<word 12>"),
    ],
)
def test_other_peoples_records(
    capsys: pytest.CaptureFixture[str], message: Any, arguments: tuple[Any, ...], shown: str
) -> None:
    """As `uvicorn` or `redis` write them."""
    lines = configured(capsys)
    logging.getLogger("theirs").warning(message, *arguments)
    (line,) = lines()
    assert (line["event"], line["level"], line["logger"]) == (shown, "warning", "theirs")


def test_a_handler_that_was_there_before_is_gone(capsys: pytest.CaptureFixture[str]) -> None:
    theirs = logging.getLogger("theirs.own")
    theirs.addHandler(logging.StreamHandler(sys.stderr))
    theirs.propagate = False
    configure_logging(LoggingSettings())
    theirs.warning("a cat: %s", MARKER)
    (line,) = capsys.readouterr().err.splitlines()
    assert json.loads(line)["event"] == "a cat: <word 19>"


def test_warnings(capsys: pytest.CaptureFixture[str]) -> None:
    lines = configured(capsys)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(False)  # here, `catch_warnings` has its own way of showing
        logging.captureWarnings(True)
        warnings.warn(f"odd: {MARKER}", UserWarning, stacklevel=1)
        logging.captureWarnings(False)
    assert "UserWarning: odd: <word 19>" in lines()[0]["event"]


def test_what_nobody_catches(capsys: pytest.CaptureFixture[str]) -> None:
    """In the main thread, another one, a finaliser and a task."""

    lines = configured(capsys)

    class Unruly:
        def __del__(self) -> None:
            fail()

    async def forget() -> None:
        task = asyncio.create_task(asyncio.to_thread(fail), name="hunter2")
        await asyncio.wait([task])

    try:
        fail()
    except ValueError as error:
        sys.excepthook(type(error), error, error.__traceback__)
    thread = threading.Thread(target=fail, name="hunter2")
    thread.start()
    thread.join()
    unruly = Unruly()
    del unruly
    asyncio.run(forget())
    gc.collect()
    written = lines()
    assert [line["event"] for line in written] == [
        "uncaught",
        "uncaught in a thread",
        "an exception that nobody can catch",
        "Task exception was never retrieved",
    ]
    assert all(line["exception"][0] == "ValueError" for line in written)


def test_a_line_that_cannot_be_rendered_is_said_to_be_lost(capsys: pytest.CaptureFixture[str]) -> None:
    """Without its arguments, which `logging` would show."""

    lines = configured(capsys)

    class Odd(dict[str, str]):
        def items(self) -> Any:
            fail()

    structlog.get_logger("test").info("hello", odd=Odd(name=MARKER))
    (line,) = lines()
    assert (line["event"], line["error"]) == ("a line was lost", "ValueError")
