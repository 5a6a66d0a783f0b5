"""R30, S5: the whole OpenAPI document, and every route under every method and name: no 5xx, nothing undocumented.

`FACESOCIAL_TEST_EXAMPLES` says how many requests schemathesis makes up for each operation.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final
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
    "response_headers_conformance",
    "unsupported_method",
    "ignored_auth",
)
CONTROLS: Final = ("%0A", "%0D", "%00", "%09", "%7F")
"""A line break at the end of a path matches `$`."""


@pytest.fixture(scope="module")
def operator(target: Target) -> Iterator[httpx.Client]:
    """Who knows the token."""
    headers = {"Authorization": f"Bearer {target.token}"}
    with httpx.Client(base_url=target.service.url, headers=headers, timeout=60) as client:
        yield client


@pytest.fixture(scope="module")
def document(operator: httpx.Client) -> Mapping[str, Any]:
    """Its paths."""
    paths: dict[str, Any] = operator.get("/docs.json").json()["paths"]
    return paths


@pytest.fixture(params=["operator", "nobody"])
def caller(request: pytest.FixtureRequest, operator: httpx.Client) -> Iterator[httpx.Client]:
    """One after the other."""
    if request.param == "operator":
        yield operator
    else:
        with httpx.Client(base_url=operator.base_url, timeout=60) as client:
            yield client


@pytest.mark.timeout(7200)
@pytest.mark.parametrize("known", [True, False], ids=["operator", "nobody"])
def test_r30_schemathesis_finds_nothing(target: Target, operator: httpx.Client, tmp_path: Path, known: bool) -> None:
    """In a process of its own: it is a program, and its hooks are global."""
    file = tmp_path / "openapi.json"
    file.write_text(operator.get("/docs.json").text)
    command = [str(Path(sys.executable).parent / "schemathesis"), "run", str(file), "--url", target.service.url]
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
    assert "21 selected / 21 total" in ran.stdout


def test_r30_each_route_under_each_method_and_name(caller: httpx.Client, document: Mapping[str, Any]) -> None:
    """8 methods × every route × as it is and changed: what the document says of it, or that there is no such thing.

    Nobody in particular sees nothing of what wants a token, under whatever name.
    """
    pick, seen, known = random.Random(30), Counter[int](), "authorization" in caller.headers
    for path in (*document, "/"):
        real = path.replace("{alias}", "face-detection")
        secret = not known and any("security" in operation for operation in document.get(path, {}).values())
        for method in METHODS:
            documented = document.get(path, {}).get(method.lower(), {}).get("responses", {})
            allowed = documented.keys() | {"400", "404", "405"} | ({"401"} if secret else set())
            allowed |= {"200"} if method in ("GET", "HEAD") else set()
            allowed -= {"200"} if secret else set()
            for target in (real.encode(), *changed(pick, real)):
                response = caller.request(method, "/", extensions={"target": target})
                seen[response.status_code] += 1
                assert str(response.status_code) in allowed, (method, target, response.text)
                if response.status_code >= 400 and method != "HEAD" and target.split(b"?")[0] != b"/readyz":
                    described = documented.get(str(response.status_code), {}).get("description", "")
                    assert f"{code(response)}: " in described or not described, (method, target, response.text)
    assert caller.get("/readyz").status_code == 200
    assert {200, 404, 405, 422, 409 if known else 401} <= seen.keys()


def test_r30_s5_a_control_character_in_a_path_is_400(caller: httpx.Client, document: Mapping[str, Any]) -> None:
    """At its end and in its middle, for every route and page."""
    for path in (*document, "/"):
        real = path.replace("{alias}", "face-detection")
        middle = max(1, len(real) // 2)
        for method in {"GET", "POST", *(name.upper() for name in document.get(path, ()))}:
            for control in CONTROLS:
                for target in (real + control, real[:middle] + control + real[middle:]):
                    response = caller.request(method, "/", extensions={"target": target.encode()})
                    assert response.status_code == 400, (method, target, response.text)
                    assert code(response) == "bad_request"


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
