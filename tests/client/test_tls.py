"""Over real TLS: who is not believed is asked once, and the README says how to be believed."""

from __future__ import annotations

import re
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer
from threading import Thread

import pytest

from facesocial_client import ConnectionFailed
from tests.client.conftest import Ask, Scene
from tests.client.replies import found

pytestmark = pytest.mark.unit

README = Path(__file__).parent.parent.parent / "client/README.md"


class Detects(BaseHTTPRequestHandler):
    """Finds nobody."""

    def do_POST(self) -> None:
        """In any picture."""
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(found().content)


class HangsUp(BaseRequestHandler):
    """In the middle of the handshake, as one that restarts may."""

    def handle(self) -> None:
        """Anything."""
        self.request.recv(65536)


class SpeaksPlainly(BaseRequestHandler):
    """HTTP and no TLS."""

    def handle(self) -> None:
        """Anything."""
        self.request.recv(65536)
        self.request.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


@contextmanager
def serving(handler: type[BaseRequestHandler], context: ssl.SSLContext | None = None) -> Iterator[str]:
    """Its URL."""
    with ThreadingTCPServer(("127.0.0.1", 0), handler) as server:
        if context:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        Thread(target=server.serve_forever, args=(0.01,)).start()
        try:
            yield f"https://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One certificate, signed by itself, under the README's names."""
    folder = tmp_path_factory.mktemp("certificates")
    kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    subject = ["-subj", "/CN=me", "-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-keyout", str(folder / "me.key"), "-out", str(folder / "me.pem")]
    subprocess.run(["openssl", "req", "-x509", *kind, *subject, *files], check=True, capture_output=True)
    (folder / "ca.pem").symlink_to(folder / "me.pem")
    (folder / "group.jpg").write_bytes(b"picture")
    return folder


@pytest.fixture
def context(certificates: Path) -> ssl.SSLContext:
    """The server's."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / "me.pem", certificates / "me.key")
    return context


def test_a_certificate_that_is_not_believed(ask: Ask, scene: Scene, context: ssl.SSLContext) -> None:
    with serving(Detects, context) as url:
        with pytest.raises(ConnectionFailed, match="CERTIFICATE_VERIFY_FAILED"):
            ask("detect", b"picture", client={"url": url, "transport": None})
        assert scene.slept == []
        assert ask("detect", b"picture", client={"url": url, "transport": None, "verify": False}).faces == ()


def test_a_server_that_speaks_no_tls(ask: Ask, scene: Scene) -> None:
    with (
        serving(SpeaksPlainly) as url,
        pytest.raises(ConnectionFailed, match=r"WRONG_VERSION_NUMBER|record layer failure"),
    ):
        ask("detect", b"picture", client={"url": url, "transport": None})
    assert scene.slept == []


def test_a_server_that_hangs_up_is_asked_again(ask: Ask, scene: Scene, context: ssl.SSLContext) -> None:
    """Also by a caller who turns to it because another was not believed."""
    with serving(Detects, context) as first, serving(HangsUp) as second:
        try:
            ask("detect", b"picture", client={"url": first, "transport": None})
        except ConnectionFailed:
            with pytest.raises(ConnectionFailed):
                ask("detect", b"picture", client={"url": second, "transport": None})
    assert len(scene.slept) == 3


def test_the_example_of_the_readme_runs(
    certificates: Path, context: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Against a server that wants a certificate."""
    context.load_verify_locations(certificates / "ca.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    monkeypatch.chdir(certificates)
    examples = re.findall(r"```python\n(.+?)```", README.read_text("utf-8"), re.DOTALL)
    (example,) = (example for example in examples if "https://localhost:3000" in example)
    with serving(Detects, context) as url:
        exec(compile(example.replace("https://localhost:3000", url), README.name, "exec"), {})
    assert capsys.readouterr().out == "0\n"
