"""The load generator against a server of four lines: each ticket once, keep-alive, an error is an error."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from cli.bench.load import BOUNDARY, WARM_UP, drive
from facesocial.errors import FaceSocialError

pytestmark = pytest.mark.unit


class Handler(BaseHTTPRequestHandler):
    """Answers `/faces` with two faces in two pieces, everything else with 503."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        server = self.server
        assert isinstance(server, Server)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        server.seen.append((self.client_address, self.headers["Content-Type"], body))
        answer = b'{"faces": [{}, {}]}'
        self.send_response(200 if self.path == "/faces" else 503)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer[:5])
        self.wfile.write(answer[5:])

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Server(ThreadingHTTPServer):
    """Remembers who sent what."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.seen: list[tuple[object, str, bytes]] = []


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_clients_share_the_requests_and_keep_their_connections(server: Server) -> None:
    block = drive(f"http://127.0.0.1:{server.server_port}/faces", b"pixels", 3, 20)
    assert len(block.seconds) == 20
    assert block.faces == 2
    assert len(server.seen) == 20 + 3 * -(-WARM_UP // 3)
    assert len({address for address, _, _ in server.seen}) == 3
    _, content_type, body = server.seen[0]
    assert content_type == f"multipart/form-data; boundary={BOUNDARY}"
    assert body.count(b"\r\npixels\r\n") == 1


def test_an_answer_that_is_not_200_ends_the_run(server: Server) -> None:
    with pytest.raises(FaceSocialError, match="503"):
        drive(f"http://127.0.0.1:{server.server_port}/elsewhere", b"pixels", 1, 3)
