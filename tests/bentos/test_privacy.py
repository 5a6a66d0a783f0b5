"""What a service writes says nothing of what it was sent: on its streams, and on no disk (checks J, S7)."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Iterator
from contextlib import ExitStack

import httpx
import pytest

from cli.process import Service
from tests.bentos.conftest import lives
from tests.bentos.processes import written
from tests.pictures import BAD, bad, chunk, noise, png

pytestmark = pytest.mark.integration

SHOWN = 16
"""Characters in a row of something that was sent."""

SECRET = random.Random(0).randbytes(48)
MARKER = base64.urlsafe_b64encode(SECRET).decode()
"""A token, and in names, queries and pictures."""

SENT = (
    MARKER,
    SECRET.hex(),
    str(list(SECRET))[1:-1],
    repr(SECRET)[2:-1],
    base64.b64encode(SECRET).decode(),
    "holiday of anna and the dog.jpg",
)
"""What was sent, in the ways it can be written."""


def shown(text: str) -> set[str]:
    """Which parts of what was sent are in a text."""
    parts = {secret[n : n + SHOWN] for secret in SENT for n in range(len(secret) - SHOWN + 1)}
    return {part for part in parts if part in text}


def lines(log: str) -> list[dict[str, object]]:
    """Every line is JSON."""
    return [json.loads(line) for line in log.splitlines()]


@pytest.fixture(scope="module")
def leak(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The service of `leak.py`."""
    variables = {"FACESOCIAL_RUNTIME": str(tmp_path_factory.mktemp("runtime"))}
    with ExitStack() as stack:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("cli.serve.TARGET", "tests.bentos.leak:Leak")
            service = stack.enter_context(Service.start(variables, until=lives))
        yield service


@pytest.mark.parametrize(
    "way", ["structlog", "logging", "warnings", "print", "native", "thread", "task", "bentoml", "edge"]
)
def test_a_service_that_tells_everything_is_not_heard(leak: Service, way: str) -> None:
    """A 500, and in the log its request id, the type of the error and the place in the code."""
    before = len(leak.log.read_bytes())
    response = httpx.post(
        f"{leak.url}/v1/tell",
        params={"way": way, "token": MARKER},
        headers={"Authorization": f"Bearer {MARKER}", "X-Request-Id": f"request-{way}"},
        files={"image": ("holiday of anna and the dog.jpg", SECRET)},
        timeout=30,
    )
    assert (response.status_code, response.json()["code"]) == (500, "internal")
    httpx.get(f"{leak.url}/nothing", headers={"X-Request-Id": f"behind-{way}"})
    said = lines(log := written(leak, f"behind-{way}", before))
    assert shown(log) == set()
    assert any("ValueError" in str(line.get("exception")) and "tests.bentos.leak" in str(line) for line in said)
    assert [line["status"] for line in said if line.get("request_id") == f"request-{way}"] == [500]
    assert len(said) >= 3 + (way != "bentoml")  # what was told, the failure, the two requests


def test_what_the_service_itself_writes(client: httpx.Client, service: Service) -> None:
    """Good and bad pictures, names, tokens, queries, paths, each with a marker."""
    before = len(service.log.read_bytes())
    marked = png(chunk(b"tEXt", b"key\0" + SECRET.hex().encode()))
    name, headers = "holiday of anna and the dog.jpg", {"Authorization": f"Bearer {MARKER}", "Cookie": f"a={MARKER}"}
    for content in (noise(), marked, SECRET, *map(bad, list(BAD)[::8])):
        client.post("/v1/detect", files={"image": (name, content)}, headers=headers, params={"token": MARKER})
    client.post("/v1/detect", json={"image": base64.b64encode(SECRET).decode(), MARKER: MARKER}, headers=headers)
    client.post("/v1/detect", content=SECRET, headers={"Content-Type": f"image/{MARKER}", "X-Request-Id": MARKER})
    client.post(f"/v1/{MARKER}/{name}", content=SECRET, headers=headers)
    client.get(f"/v1/admin/models/{MARKER}", headers=headers)
    client.post(f"/v1/admin/models/{MARKER[:60]}/activate", json={"tag": MARKER}, headers=headers)
    client.get("/v1/models", headers={"X-Request-Id": "the-last-line"})
    log = written(service, "the-last-line", before)
    assert shown(log) == set()
    assert sum(line["event"] == "request" for line in lines(log)) >= 13
