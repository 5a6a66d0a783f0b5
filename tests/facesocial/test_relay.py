"""What is written past the loggers, by this process or one that it starts, becomes log lines."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facesocial.relay import rewritten

pytestmark = pytest.mark.unit

PROGRAM = """
import json, os, subprocess, sys
from facesocial.relay import relayed

print("before")
with relayed():
    print("on stdout")
    os.write(2, b"native: aHVudGVyMmh1bnRlcjI\\n\\n")
    print(json.dumps({"event": "ours", "request_id": "0a1b2c3d" * 4, "image": "hunter2"}), file=sys.stderr)
    subprocess.run([sys.executable, "-c", "print('a child'); raise SystemExit('its last words')"])
    os.write(1, b"without an end")
print("after")
"""


def test_a_process_and_its_children() -> None:
    """All on stderr as JSON, in order; before and after, the streams are what they were."""
    ended = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert ended.stdout == "before\nafter\n"
    lines = [json.loads(line) for line in ended.stderr.splitlines()]
    assert sorted(line["event"] for line in lines) == sorted(
        ["on stdout", "native: <word 19>", "ours", "a child", "its last words", "without an end"]
    )
    assert {"event": "ours", "request_id": "0a1b2c3d" * 4, "image": "<str 7>"} in lines
    assert {line["logger"] for line in lines if line["event"] != "ours"} == {"output"}


@given(st.text() | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(json.dumps))
def test_every_line_becomes_an_object(line: str) -> None:
    assert isinstance(json.loads(rewritten(line)), dict)


def test_deep_json_is_text() -> None:
    assert json.loads(rewritten("[" * 60_000))["event"] == "<text 60000>"
