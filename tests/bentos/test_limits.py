"""checks.md E and S3 over real HTTP: who is counted for what, with a Redis in the service's back."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import httpx
import psutil
import pytest
import redis

from cli.process import Service
from services.operators import operator_token
from tests.bentos.conftest import running
from tests.canary import Listener
from tests.redis_server import Redis
from tests.wire import code

pytestmark = pytest.mark.integration

PER_ADDRESS: Final = 60
PER_ADMIN: Final = 40


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    """For the module."""
    if not shutil.which("redis-server"):
        pytest.skip("redis-server is not installed")
    server = Redis(tmp_path_factory.mktemp("redis"))
    yield server
    server.stop()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of the service's models: none."""
    return tmp_path_factory.mktemp("limited") / "bentoml"


@pytest.fixture(scope="module")
def limited(store: Redis, home: Path) -> Iterator[Service]:
    """Trusts nobody, and is slow to serve: every request is counted before it is told that no model is installed."""
    rates = {"TRUSTED_NETWORKS": "[]", "ADDRESS": str(PER_ADDRESS), "ADMIN": str(PER_ADMIN)}
    variables = {f"FACESOCIAL__RATES__{name}": value for name, value in rates.items()}
    variables |= {"FACESOCIAL__REDIS__URL": store.url, "FACESOCIAL__CACHE__ENABLED": "false"}
    with running(home, **variables) as service:
        yield service


def caller(service: Service, address: int) -> httpx.Client:
    """From 127.0.0.`address`, which is nobody else's."""
    transport = httpx.HTTPTransport(local_address=f"127.0.0.{address}")
    return httpx.Client(base_url=service.url, transport=transport, timeout=30)


def test_e_the_61st_of_a_minute_is_refused(limited: Service) -> None:
    """Whatever it says that it forwards for: the peer is counted, as long as it is no proxy that we trust."""
    long = ", ".join(["1.2.3.4"] * 1100)
    forwarded = (f"1.2.3.{number}" if number % 2 else long for number in count())
    with caller(limited, 61) as client:
        for number in range(PER_ADDRESS):
            response = client.get("/v1/models", headers={"X-Forwarded-For": next(forwarded)})
            assert response.status_code == 200
            assert response.headers["ratelimit-limit"] == str(PER_ADDRESS)
            assert response.headers["ratelimit-remaining"] == str(PER_ADDRESS - number - 1)
        for name in ("X-Forwarded-For", "Forwarded", "X-Real-IP", "CF-Connecting-IP", "True-Client-IP"):
            response = client.get("/v1/models", headers={name: next(forwarded)})
            assert (response.status_code, code(response)) == (429, "rate_limited")
            assert 0 < int(response.headers["retry-after"]) <= 60
            assert response.headers["ratelimit-remaining"] == "0"
            assert 0 < int(response.headers["ratelimit-reset"]) <= 60
        assert client.get("/livez").status_code == 200
    with caller(limited, 62) as other:
        assert other.get("/v1/models").status_code == 200


def test_e_a_name_is_one_bucket_from_every_address(limited: Service, home: Path) -> None:
    headers = {"Authorization": f"Bearer {operator_token(home / 'facesocial')}"}
    statuses = []
    for address in range(100, 100 + PER_ADMIN + 5):
        with caller(limited, address) as client:
            statuses.append(client.get("/v1/models", headers=headers).status_code)
    assert statuses == [200] * PER_ADMIN + [429] * 5
    with caller(limited, 100) as client:
        assert client.get("/v1/models").status_code == 200


def test_s3_urls_disturb_no_other_connection(limited: Service, store: Redis) -> None:
    """Twenty overlapping uploads that are URLs, while Redis is in use: nobody is asked, and no ping fails."""
    over, pings, seen = threading.Event(), [], set[int]()
    tree = [psutil.Process(limited.pid), *psutil.Process(limited.pid).children(recursive=True)]

    def ping() -> None:
        with redis.Redis.from_url(store.url) as client:
            while not over.wait(0.005):
                pings.append(client.ping())

    def look() -> None:
        while not over.wait(0.005):
            for process in tree:
                seen.update(entry.laddr.port for entry in process.net_connections("inet"))

    with Listener() as canary, ThreadPoolExecutor(22) as pool:
        watches = [pool.submit(ping), pool.submit(look)]

        def upload(number: int) -> str:
            with caller(limited, 200 + number) as client:
                url = f"http://127.0.0.1:{canary.port}/{number}.jpg"
                return code(client.post("/v1/detect", data={"image": url}))

        codes = [*pool.map(upload, range(20))]
        time.sleep(0.1)
        over.set()
        for watch in watches:
            watch.result()
    assert codes == ["file_expected"] * 20
    assert canary.asked == []
    assert pings
    assert all(pings)
    assert seen == {urlsplit(limited.url).port}, "it calls nobody"


def test_r31_without_redis_it_is_ready_and_says_that_each_process_counts_for_itself(
    limited: Service, store: Redis
) -> None:
    with caller(limited, 240) as client:
        before = client.get("/readyz").json()["degraded"]
        store.stop()
        assert client.get("/v1/models").headers["ratelimit-remaining"] == str(PER_ADDRESS - 1)
        ready = client.get("/readyz").json()
        assert ready["degraded"] == [*before, "rates: Redis is away, each process counts for itself"]
        assert not any("Redis" in reason for reason in ready["reasons"])
        store.restart()
        time.sleep(1.1)
        assert client.get("/v1/models").status_code == 200
        assert client.get("/readyz").json()["degraded"] == before
