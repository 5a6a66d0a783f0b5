"""What processes write past the loggers, as log lines: native libraries, `print`, the interpreter itself."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from facesocial.privacy import harmless_text, withhold

LONGEST_LINE: Final = 1 << 16
"""Bytes; the rest is a line of its own."""

LAST_WORDS_S: Final = 2.0
"""How long to wait for the end of what was written, which somebody who lives on may hold open."""


@contextlib.contextmanager
def relayed() -> Iterator[None]:
    """Lead stdout and stderr, of this process and of those it starts meanwhile, through `rewritten` onto stderr."""
    kept = os.dup(1), os.dup(2)
    source, sink = os.pipe()
    _redirect(sink, sink)
    os.close(sink)
    thread = threading.Thread(target=_relay, args=(source, os.dup(kept[1])), name="relay", daemon=True)
    thread.start()
    try:
        yield
    finally:
        _redirect(*kept)
        for descriptor in kept:
            os.close(descriptor)
        thread.join(LAST_WORDS_S)


def rewritten(line: str) -> str:
    """A line of ours as it is, for cleaning it twice changes nothing; any other one as the `event` of a line."""
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError):
        fields = None
    if not isinstance(fields, dict):
        now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        fields = {"event": harmless_text(line.strip()), "logger": "output", "level": "info", "timestamp": now}
    return json.dumps(withhold(None, "", fields))


def _redirect(out: int, err: int) -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    os.dup2(out, 1)
    os.dup2(err, 2)


def _relay(source: int, target: int) -> None:
    with open(source, "rb") as written, open(target, "wb") as shown:
        while line := written.readline(LONGEST_LINE):
            if line.strip():
                with contextlib.suppress(OSError):  # nobody reads: who writes must not wait for that
                    shown.write(rewritten(line.decode("utf-8", "replace")).encode() + b"\n")
                    shown.flush()
