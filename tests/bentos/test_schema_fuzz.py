"""R30: the whole OpenAPI document, and every route under every method and name: no 5xx, nothing undocumented.

`FACESOCIAL_TEST_EXAMPLES` says how many requests schemathesis makes up for each operation.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import quote

import httpx
import pytest

from tests.bentos.conftest import Target
from tests.conftest import ROOT
from tests.wire import code

pytestmark = pytest.mark.integration

EXAMPLES: Final = int(os.environ.get("FACESOCIAL_TEST_EXAMPLES", "12"))
METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
CHECKS: Final = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "unsupported_method",
)


@pytest.fixture(scope="module")
def caller(target: Target) -> Iterator[httpx.Client]:
    """An operator."""
    headers = {"Authorization": f"Bearer {target.token}"}
    with httpx.Client(base_url=target.service.url, headers=headers, timeout=60) as client:
        yield client


@pytest.mark.timeout(7200)
@pytest.mark.parametrize("known", [True, False], ids=["operator", "nobody"])
def test_r30_schemathesis_finds_nothing(target: Target, caller: httpx.Client, tmp_path: Path, known: bool) -> None:
    """In a process of its own: it is a program, and its hooks are global."""
    document = tmp_path / "openapi.json"
    document.write_text(caller.get("/docs.json").text)
    command = [str(Path(sys.executable).parent / "schemathesis"), "run", str(document), "--url", target.service.url]
    command += ["--checks", ",".join(CHECKS), "--seed", "30"]
    command += ["--continue-on-failure", "--generation-database", "none", "--warnings", "off", "--no-color"]
    if known:
        command += ["--max-examples", str(EXAMPLES), "--header", f"Authorization: Bearer {target.token}"]
    else:
        command += ["--max-examples", "3", "--phases", "fuzzing"]
    hooks = {"SCHEMATHESIS_HOOKS": "tests.bentos.schema_hooks", "PYTHONPATH": str(ROOT)}
    ran = subprocess.run(
        command, cwd=tmp_path, env={**os.environ, **hooks}, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "19 selected / 19 total" in ran.stdout


def test_r30_each_route_under_each_method_and_name(caller: httpx.Client) -> None:
    """8 methods × every route × as it is and changed: what the document says of it, or that there is no such thing."""
    document = caller.get("/docs.json").json()["paths"]
    pick, seen = random.Random(30), Counter[int]()
    for path in (*document, "/docs.json", "/schema.json", "/"):
        real = path.replace("{alias}", "face-detection")
        for method in METHODS:
            documented = set(document.get(path, {}).get(method.lower(), {}).get("responses", ()))
            for target in (real.encode(), *changed(pick, real)):
                response = caller.request(method, "/", extensions={"target": target})
                seen[response.status_code] += 1
                allowed = documented | {"400", "404", "405"} | ({"200"} if method in ("GET", "HEAD") else set())
                assert str(response.status_code) in allowed, (method, target, response.text)
                if response.status_code >= 400 and method != "HEAD" and target.split(b"?")[0] != b"/readyz":
                    code(response)
    assert caller.get("/readyz").status_code == 200
    assert {200, 404, 405, 409, 422} <= seen.keys()


def changed(pick: random.Random, path: str) -> list[bytes]:
    """The same path, not quite."""
    raw, at = path.encode(), pick.randrange(1, len(path) + 1)
    odd = bytes(pick.choices(range(0x21, 0x7F), k=pick.randint(1, 9)))
    return [
        raw + b"/",
        b"/" + raw,
        raw[:at] + b"/../" + raw[at:],
        raw[:at] + quote(bytes(pick.choices(range(256), k=4))).encode() + raw[at:],
        raw[:at] + odd + raw[at:],
        raw + b"?" + odd * 3,
        raw + b"?min_score=" + odd + b"&min_score=1&tasks=%00",
        raw.swapcase(),
        raw + b"a" * 8000,
    ]
