"""A server that answers as an operator's routes do."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from services.residency import ProcessReport
from tests.vram_policy.fakes import FakeModel
from vram_policy import CpuArbiter
from vram_policy.arbiter import GpuArbiter
from vram_policy.simulated import SimulatedGpu


@dataclass
class Answering:
    """What it says: status and body by path; everything else is 404."""

    url: str = ""
    pages: dict[str, tuple[int, Any]] = field(default_factory=dict)


@pytest.fixture
def answering() -> Iterator[Answering]:
    """On a free port of loopback."""
    state = Answering()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = state.pages.get(self.path, (404, {"code": "not_found", "detail": "there is nothing here"}))
            content = body.encode() if isinstance(body, str) else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield state
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def report() -> dict[str, Any]:
    """A process whose card has one model on it and one that is too large, as JSON has it."""
    arbiter = GpuArbiter(SimulatedGpu(1000 << 20), 800 << 20, CpuArbiter(), context=0, headroom=0)
    small, large = FakeModel("small:1", size=300 << 20), FakeModel("large:1", zone="flexible", size=900 << 20)
    for model in (small, large):
        arbiter.lease(model).end()
    arbiter.load("small:1")
    for model in (small, large):
        arbiter.lease(model).end()
    arbiter.close()
    found: dict[str, Any] = json.loads(json.dumps(asdict(ProcessReport("facesocial_pipeline", (arbiter.report(),)))))
    return found
