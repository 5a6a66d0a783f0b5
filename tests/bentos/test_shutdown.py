"""R19, R21: what is under way at SIGTERM is answered, and then nobody is left."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psutil
import pytest

from services.pipeline.inquiry import Cost
from tests.bentos.callers import calling, until
from tests.bentos.gate import gated

pytestmark = pytest.mark.integration

GRACE_S = 10


@pytest.mark.parametrize("placement", ["embedded", "colocated"])
async def test_r19_r21_sigterm_with_six_under_way_and_a_connection_kept_alive(tmp_path: Path, placement: str) -> None:
    """Two run and four wait: six answers; new connections are refused within 0.5 s; no process is left."""
    variables = {"FACESOCIAL__PLACEMENT": placement, "FACESOCIAL__CPU__REQUESTS": "2"}
    with gated(tmp_path, **variables) as (service, gate):
        address = urlsplit(service.url)
        assert address.port
        async with calling(service, gate) as callers, httpx.AsyncClient(base_url=service.url) as idle:
            gate.shut()
            six = [callers.call(100 + n) for n in range(6)]
            await gate.arrived(2)
            await callers.come_to_wait(Cost.LIGHT, 4)
            assert (await idle.get("/livez")).status_code == 200
            parent = psutil.Process(service.pid)
            processes = [parent, *parent.children(recursive=True)]
            os.kill(service.pid, signal.SIGTERM)
            told = time.monotonic()

            async def refused() -> bool:
                try:
                    _, writer = await asyncio.open_connection(address.hostname, address.port)
                except ConnectionRefusedError:
                    return True
                writer.close()
                return False

            await until(refused)
            assert time.monotonic() - told < 0.5
            assert not any(one.done() for one in six)
            gate.open()
            assert [response.status_code for response in await asyncio.gather(*six)] == [200] * 6
            answered = time.monotonic()
            await gate.arrived(4)
            _, alive = await asyncio.to_thread(psutil.wait_procs, processes, timeout=GRACE_S)
            assert alive == []
            assert time.monotonic() - answered < GRACE_S
        log = service.log.read_bytes()
        assert log.count(b"stopping: what is under way is answered") == 1
        assert b"Traceback" not in log
