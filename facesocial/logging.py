"""Log lines: structured, on stderr, without anything a caller sent.

Whoever writes one, with structlog, with `logging`, as a warning or by ending in an exception that nobody caught, it
goes through one handler, and `facesocial.privacy` stands before its renderer.
"""

from __future__ import annotations

import contextlib
import logging
import sys
import threading
from typing import Any, Final

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from facesocial.configuration import LoggingSettings
from facesocial.privacy import harmless, outline, withhold

OURS: Final = "facesocial"
"""Above the loggers of structlog, which have the level of the settings; the others speak up from warnings on."""


def configure_logging(settings: LoggingSettings) -> None:
    """Set logging up for this process; handlers that somebody else has installed go."""
    root = logging.getLogger()
    for logger in (entry for entry in root.manager.loggerDict.values() if isinstance(entry, logging.Logger)):
        logger.handlers.clear()
        logger.propagate = True
    root.handlers[:] = [_handler(settings)]
    root.setLevel(logging.WARNING)
    logging.getLogger(OURS).setLevel(settings.level.upper())
    logging.captureWarnings(True)
    sys.excepthook = _uncaught
    threading.excepthook = _uncaught_in_thread
    sys.unraisablehook = _unraisable
    structlog.configure(
        processors=[structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[settings.level.upper()]),
        logger_factory=_logger,
        cache_logger_on_first_use=True,
    )


class _Handler(logging.StreamHandler[Any]):
    """Writes to stderr. The base shows a line that cannot be rendered with all its arguments."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 — as the base has it
        """Say what happened, without what was to be said."""
        kind = type(sys.exc_info()[1]).__name__
        with contextlib.suppress(OSError):  # whoever reads is gone: there is nobody to tell
            self.stream.write(f'{{"event": "a line was lost", "error": "{kind}", "line": {record.lineno}}}\n')


def _handler(settings: LoggingSettings) -> logging.Handler:
    shared: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _explain,
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        withhold,
    ]
    drawn: list[Processor] = (
        [structlog.processors.JSONRenderer()]
        if settings.format == "json"
        else [_as_text, structlog.dev.ConsoleRenderer()]
    )
    handler = _Handler(sys.stderr)
    handler.setLevel(settings.level.upper())
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[*shared, *drawn], foreign_pre_chain=[_fill], use_get_message=False, pass_foreign_args=True
        )
    )
    return handler


def _logger(*names: str) -> logging.Logger:
    return logging.getLogger(".".join((OURS, *names)))


def _fill(_: WrappedLogger, __: str, line: EventDict) -> EventDict:
    """The message of a record that is not ours: the template is code and stays, its arguments are cleaned first."""
    record: logging.LogRecord = line["_record"]
    arguments = line.pop("positional_args", None)
    line["logger"] = record.name
    if not isinstance(record.msg, str):
        line["event"] = harmless(record.msg)
    elif arguments:
        line["event"] = _filled(record.msg, arguments)
    else:
        line["event"] = record.msg.split("\n", 1)[0]  # asyncio appends whole objects
    return line


def _filled(template: str, arguments: Any) -> str:
    cleaned = harmless(arguments)
    try:
        return template % (tuple(cleaned) if isinstance(cleaned, list) else cleaned)
    except (TypeError, ValueError):  # a word now stands where a number was expected
        return template


def _explain(_: WrappedLogger, __: str, line: EventDict) -> EventDict:
    """The exception, as an outline; tracebacks hold what the code was working on."""
    given, _ignored = line.pop("exc_info", None), line.pop("stack_info", None)
    if isinstance(given, tuple):
        given = given[1]
    elif given and not isinstance(given, BaseException):
        given = sys.exc_info()[1]
    if given:
        line["exception"] = outline(given)
    return line


def _as_text(_: WrappedLogger, __: str, line: EventDict) -> EventDict:
    if "exception" in line:
        line["exception"] = "\n".join(line["exception"])
    return line


def _uncaught(_: type[BaseException], error: BaseException, __: Any) -> None:
    structlog.get_logger(__name__).critical("uncaught", exc_info=error)


def _uncaught_in_thread(given: threading.ExceptHookArgs) -> None:
    structlog.get_logger(__name__).critical("uncaught in a thread", exc_info=given.exc_value)


def _unraisable(given: Any) -> None:
    structlog.get_logger(__name__).error("an exception that nobody can catch", exc_info=given.exc_value)
