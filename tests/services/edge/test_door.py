"""The head of a request decides: checks.md S12, S15, E."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.responses import PlainTextResponse

from facesocial.configuration import RateSettings
from services.edge.door import Door
from services.edge.rates import Rates
from services.edge.wrapper import Edge
from services.identity import Identity

pytestmark = pytest.mark.unit


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    """Three requests a minute from an address, five of Ada."""
    rates = Rates(RateSettings(address=3, user=5, endpoints={}))
    door = Door(rates, lambda headers: Identity("ada", "user") if headers.get("authorization") == "ada" else None)
    transport = httpx.ASGITransport(Edge(PlainTextResponse("in"), {"/livez": PlainTextResponse("ok")}, door))
    async with httpx.AsyncClient(transport=transport, base_url="http://edge") as client:
        yield client


async def test_e_the_fourth_is_refused_and_told_when(client: httpx.AsyncClient) -> None:
    for left in (2, 1, 0):
        response = await client.post("/v1/detect")
        assert response.text == "in"
        assert (response.headers["ratelimit-limit"], response.headers["ratelimit-remaining"]) == ("3", str(left))
        assert 0 < int(response.headers["ratelimit-reset"]) <= 60
    response = await client.post("/v1/detect")
    assert response.status_code == 429
    assert response.json()["code"] == "rate_limited"
    assert 0 < int(response.headers["retry-after"]) <= 60
    assert response.headers["ratelimit-remaining"] == "0"


async def test_probes_are_free_and_what_is_not_there_is_not(client: httpx.AsyncClient) -> None:
    """Who looks for what may be there is counted like anybody."""
    for _ in range(9):
        assert (await client.get("/livez")).status_code == 200
    assert [(await client.get(f"/guess-{number}")).status_code for number in range(4)] == [200, 200, 200, 429]


async def test_e_a_proven_name_has_a_bucket_of_its_own(client: httpx.AsyncClient) -> None:
    """But the address counts for it, too."""
    statuses = [(await client.post("/v1/x", headers={"authorization": "ada"})).status_code for _ in range(4)]
    assert statuses == [200, 200, 200, 429]


@pytest.mark.parametrize("host", ["a/../admin?x=", "a b", "", "a@b", "a:b", "[::1", "x" * 300, "ä"])
async def test_s12_a_host_is_a_name_or_an_address(client: httpx.AsyncClient, host: str) -> None:
    response = await client.get("/docs", headers=[(b"host", host.encode())])
    assert response.status_code == 400
    assert response.json()["code"] == "bad_request"


@pytest.mark.parametrize("host", ["edge", "edge:8080", "192.0.2.1:1", "[2001:db8::1]:443", "a-b.example"])
async def test_a_host_as_it_should_be(client: httpx.AsyncClient, host: str) -> None:
    assert (await client.get("/docs", headers={"host": host})).status_code == 200


async def test_two_hosts_are_one_too_many(client: httpx.AsyncClient) -> None:
    response = await client.get("/docs", headers=[(b"host", b"a"), (b"host", b"a")])
    assert response.status_code == 400


async def test_s15_nothing_is_unpacked(client: httpx.AsyncClient) -> None:
    response = await client.post("/v1/detect", headers={"content-encoding": "gzip"}, content=b"x")
    assert response.status_code == 415


@pytest.mark.parametrize("path", ["/metrics", "/schema.json", "/docs.json"])
async def test_s5_what_tells_of_the_service_is_for_proven_names(client: httpx.AsyncClient, path: str) -> None:
    response = await client.get(path)
    assert (response.status_code, response.json()["code"]) == (401, "unauthenticated")
    assert (await client.get(path, headers={"authorization": "ada"})).text == "in"


@pytest.mark.parametrize("path", ["/metrics", "/v1/detect", "/livez", "/nothing"])
async def test_s13_what_is_no_method_is_so_whoever_asks(client: httpx.AsyncClient, path: str) -> None:
    response = await client.request("BREW", path)
    assert (response.status_code, response.json()["code"]) == (405, "method_not_allowed")
    assert response.headers["allow"] == "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        ("BREW", "/v1/detect", {}),
        ("GET", "/metrics", {"authorization": "guessed"}),
        ("GET", "/v1/models", {"host": "a/../b"}),
        ("POST", "/v1/detect", {"content-encoding": "gzip"}),
        ("GET", "/v1/models%20", {}),
    ],
)
async def test_e_what_is_refused_is_counted_too(
    client: httpx.AsyncClient, method: str, path: str, headers: dict[str, str]
) -> None:
    statuses = [(await client.request(method, path, headers=headers)).status_code for _ in range(5)]
    assert 429 not in statuses[:3]
    assert all(status >= 400 for status in statuses)
    assert statuses[3:] == [429, 429]
