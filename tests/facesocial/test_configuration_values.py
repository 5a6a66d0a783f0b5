"""Values with which the service could never work are refused when they are read, in words that help."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from facesocial.configuration import MEBIBYTE, load_configuration
from facesocial.configuration.values import REDIS_FORMS
from facesocial.errors import ConfigurationError

pytestmark = pytest.mark.unit

SECRET = "hunter2"
NO_CACHE = {"cache": {"enabled": False}}


@pytest.fixture
def load(tmp_path: Path):  # type: ignore[no-untyped-def]
    """Reads settings from a file."""

    def load(settings: dict[str, Any]):  # type: ignore[no-untyped-def]
        file = tmp_path / "configuration.yaml"
        file.write_text(json.dumps(settings))
        return load_configuration(file)

    return load


@pytest.mark.parametrize(
    "url",
    [
        f"http://:{SECRET}@localhost",
        f"redis://:{SECRET}@localhost:99999/0",
        f"redis://:{SECRET}@localhost/zero",
        f"redis://:{SECRET}/@localhost",
        f"redis://:{SECRET}@",
        f"redis://:{SECRET}@localhost?db=zero",
        f"redis://:{SECRET}@localhost?no_such_option=1",
        f"redis://:{SECRET}@localhost?socket_timeout=20",
        f"redis://:{SECRET}@localhost?decode_responses=True",
        f"redis://:{SECRET}@localhost?max_connections=1",
        f"redis://:{SECRET}@localhost:0",
        f"redis://:{SECRET}@localhost/0#here",
        f"redis://:{SECRET}@localhost/\u0663",
        f"rediss://:{SECRET}@localhost?ssl_cert_reqs=perhaps",
        f"unix://:{SECRET}@",
        f"localhost:6379/{SECRET}",
    ],
)
def test_where_redis_cannot_be(load, url: str) -> None:  # type: ignore[no-untyped-def]
    """The forms are named; the password is not, nor in what a traceback would show."""
    with pytest.raises(ConfigurationError) as refused:
        load({"redis": {"url": url}, **NO_CACHE})
    assert str(refused.value).endswith(f"line 1: redis.url: {REDIS_FORMS}")
    assert SECRET not in f"{refused.value} {refused.value.__cause__}"


@pytest.mark.parametrize(
    "url",
    [
        "redis://localhost",
        "redis://user:pass%2Fword@[::1]:6380/3",
        "rediss://redis.internal/?socket_keepalive=yes",
        "unix:///run/redis.sock?db=1",
        "unix://:password@/run/redis.sock",
    ],
)
def test_where_redis_can_be(load, url: str) -> None:  # type: ignore[no-untyped-def]
    assert load({"redis": {"url": url}, **NO_CACHE}).redis.url.get_secret_value() == url


def test_two_of_the_largest_pictures_fit(load) -> None:  # type: ignore[no-untyped-def]
    """As base64 in one request; the message has the least that will do."""
    settings = {"limits": {"image_bytes": 10 * MEBIBYTE}, "admission": {"body_mib": 26}}
    with pytest.raises(ConfigurationError, match=r"admission\.body_mib: must be at least 27: two pictures"):
        load(settings)
    settings["admission"]["body_mib"] = 27
    assert load(settings).admission.body_mib == 27


@pytest.mark.parametrize(
    "path", ["/v1/Liveness", "v1/embed", "/v1/detect/", "/v1/detect?a=1", "/v1/", "//v1/a", "/v2/a"]
)
def test_a_path_that_no_request_has(load, path: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ConfigurationError) as refused:
        load({"rates": {"endpoints": {path: 5}}})
    words = "expected a path such as /v1/verify: in lower case, no / at the end, no query"
    assert str(refused.value).endswith(f"line 1: rates.endpoints.{path}: {words}")


@pytest.mark.parametrize("rates", [{"user": 0}, {"service": 1_000_001}, {"endpoints": {"/v1/admin/models": "many"}}])
def test_rates_have_a_range(load, rates: dict[str, Any]) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ConfigurationError, match=r"\(allowed: 1 to 1000000\)"):
        load({"rates": rates})
    assert load({"rates": {"endpoints": {"/v1/admin/models": 1_000_000}}})


@pytest.mark.parametrize(
    "origin",
    [
        "*",
        "https://a.com/",
        "a.com",
        "https://A.com",
        "https://*.a.com",
        "https://a.com:443",
        "http://a.com:80",
        "https://a.com:99999",
        "https://a.com:",
        "https://.",
        "https://]",
        "https://-",
    ],
)
def test_an_origin_that_no_browser_sends(load, origin: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ConfigurationError) as refused:
        load({"server": {"cors_origins": [origin]}})
    words = "expected https://app.example.com: scheme and host in lower case, no usual port, path or *"
    assert str(refused.value).endswith(f"line 1: server.cors_origins.0: {words}")


@pytest.mark.parametrize(
    "origin",
    ["http://localhost:8080", "https://my_app.local", "http://[::1]:3000", "https://a-b.example.com:8443", "http://a"],
)
def test_an_origin_that_one_sends(load, origin: str) -> None:  # type: ignore[no-untyped-def]
    assert load({"server": {"cors_origins": [origin]}}).server.cors_origins == (origin,)


@pytest.mark.parametrize(("network", "words"), [("::ffff:10.0.0.0/104", "is of IPv4"), (16777216, "as text")])
def test_a_network_that_nobody_comes_from(load, network: object, words: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ConfigurationError, match=words):
        load({"rates": {"trusted_networks": [network]}})
