"""TLS by configuration: 1.3 or nothing, callers with a certificate or none, and no time to waste before it."""

from __future__ import annotations

import ssl
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import httpx
import pytest

from bentos.protocol import tls_context, uvicorn_options
from cli.process import Service
from facesocial.configuration import ServerSettings, TlsSettings
from facesocial.errors import ConfigurationError
from tests.wire import HEAD, HEAD_SECONDS, closed, connect


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`server.pem` and `client.pem`, self-signed, with their `.key`."""
    folder = tmp_path_factory.mktemp("certificates")
    for name in ("server", "client"):
        kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
        subject = ["-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1"]
        files = ["-keyout", str(folder / f"{name}.key"), "-out", str(folder / f"{name}.pem")]
        subprocess.run(["openssl", "req", "-x509", *kind, *subject, *files], check=True, capture_output=True)
    return folder


@pytest.fixture(scope="session")
def tls(certificates: Path) -> TlsSettings:
    """With client certificates."""
    return TlsSettings(
        certificate=certificates / "server.pem",
        key=certificates / "server.key",
        client_ca=certificates / "client.pem",
    )


def caller(certificates: Path, known: bool = True) -> ssl.SSLContext:
    """A client that trusts the server, and is known to it or not."""
    context = ssl.create_default_context(cafile=certificates / "server.pem")
    if known:
        context.load_cert_chain(certificates / "client.pem", certificates / "client.key")
    return context


@pytest.fixture(scope="session")
def encrypted(tls: TlsSettings, certificates: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """FaceSocial over TLS, without a model. A handshake, and then a head, have `HEAD_SECONDS`."""

    def lives(service: Service) -> bool:
        try:
            url = service.url.replace("http", "https")
            return httpx.get(f"{url}/livez", verify=caller(certificates), timeout=60).status_code == 200
        except httpx.TransportError:
            return False

    variables = {
        "FACESOCIAL__SERVER__TLS": tls.model_dump_json(),
        "FACESOCIAL__SERVER__HEADER_TIMEOUT_S": str(HEAD_SECONDS),
        "BENTOML_HOME": str(tmp_path_factory.mktemp("encrypted")),
    }
    with Service.start(variables, until=lives) as service:
        yield service


@pytest.mark.integration
def test_tls_1_3_is_spoken_and_nothing_older(encrypted: Service, certificates: Path) -> None:
    new = caller(certificates)
    with connect(encrypted) as connection, new.wrap_socket(connection, server_hostname="127.0.0.1") as wrapped:
        assert wrapped.version() == "TLSv1.3"
    assert b"listening on https://127.0.0.1" in encrypted.log.read_bytes()
    old = caller(certificates)
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    with connect(encrypted) as connection, pytest.raises(OSError, match=r"EOF|ALERT_PROTOCOL_VERSION|reset"):
        old.wrap_socket(connection, server_hostname="127.0.0.1")


@pytest.mark.integration
def test_a_caller_without_our_certificate_gets_no_answer(encrypted: Service, certificates: Path) -> None:
    url = f"{encrypted.url.replace('http', 'https')}/livez"
    assert httpx.get(url, verify=caller(certificates)).status_code == 200
    with pytest.raises(httpx.TransportError):
        httpx.get(url, verify=caller(certificates, known=False))
    with pytest.raises(httpx.TransportError):
        httpx.get(encrypted.url)


@pytest.mark.integration
def test_s14_a_handshake_that_does_not_come_closes_the_connection(encrypted: Service) -> None:
    """uvloop alone waits a minute."""
    with connect(encrypted) as connection:
        assert closed(connection)


@pytest.mark.integration
def test_s14_nor_does_a_slow_head_hide_in_tls(encrypted: Service, certificates: Path) -> None:
    context = caller(certificates)
    with connect(encrypted) as connection, context.wrap_socket(connection, server_hostname="127.0.0.1") as wrapped:
        wrapped.sendall(HEAD)
        assert closed(wrapped)


@pytest.mark.unit
def test_inner_services_speak_no_tls(tls: TlsSettings) -> None:
    """They listen on Unix sockets."""
    edge, inner = (uvicorn_options(ServerSettings(tls=tls), public) for public in (True, False))
    assert edge.keys() - inner.keys() == {"ssl_context_factory", "loop"}


@pytest.mark.unit
def test_without_a_client_ca_anyone_may_call(tls: TlsSettings) -> None:
    assert tls_context(tls.model_copy(update={"client_ca": None})).verify_mode == ssl.CERT_NONE


@pytest.mark.unit
@pytest.mark.parametrize("field", ["certificate", "key", "client_ca"])
def test_a_file_that_is_no_pem_is_refused_at_start(tls: TlsSettings, field: str) -> None:
    with pytest.raises(ConfigurationError, match=r"server\.tls"):
        tls_context(tls.model_copy(update={field: Path(__file__)}))


@pytest.mark.unit
def test_a_key_of_another_certificate_is_refused_at_start(tls: TlsSettings, certificates: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"server\.tls"):
        tls_context(tls.model_copy(update={"key": certificates / "client.key"}))


@pytest.mark.unit
def test_a_key_with_a_password_is_refused_and_never_asked_for(tls: TlsSettings, certificates: Path) -> None:
    locked = certificates / "locked.key"
    files = ["-in", str(tls.key), "-out", str(locked)]
    subprocess.run(["openssl", "pkey", *files, "-aes256", "-passout", "pass:hunter2"], check=True)
    with pytest.raises(ConfigurationError, match=r"server\.tls"):
        tls_context(tls.model_copy(update={"key": locked}))


def test_an_intermediate_authority_alone_is_believed(certificates: Path, tmp_path: Path) -> None:
    """To believe its root would be to believe all that this one signs."""

    def made(name: str, issuer: str | None, extensions: str) -> None:
        (tmp_path / f"{name}.ext").write_text(extensions)
        kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}"]
        run = partial(subprocess.run, check=True, capture_output=True, cwd=tmp_path)
        run(["openssl", "req", "-new", *kind, "-keyout", f"{name}.key", "-out", f"{name}.csr"])
        signed = ["-CA", f"{issuer}.pem", "-CAkey", f"{issuer}.key", "-CAcreateserial"]
        by = signed if issuer else ["-signkey", f"{name}.key"]
        files = ["-in", f"{name}.csr", "-out", f"{name}.pem", "-days", "2", "-extfile", f"{name}.ext"]
        run(["openssl", "x509", "-req", *files, *by])

    authority = "basicConstraints=critical,CA:true\nkeyUsage=critical,keyCertSign\n"
    made("root", None, authority)
    made("inter", "root", authority)
    made("ada", "inter", "basicConstraints=CA:false\n")
    made("eve", "root", "basicConstraints=CA:false\n")
    settings = TlsSettings(
        certificate=certificates / "server.pem", key=certificates / "server.key", client_ca=tmp_path / "inter.pem"
    )
    for name, believed in (("ada", True), ("eve", False)):
        client = ssl.create_default_context(cafile=certificates / "server.pem")
        client.load_cert_chain(tmp_path / f"{name}.pem", tmp_path / f"{name}.key")
        assert _shake(settings.context(), client) == believed, name


def _shake(server: ssl.SSLContext, client: ssl.SSLContext) -> bool:
    """Whether a server and a client come to an understanding, in memory."""
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = client.wrap_bio(down, up, server_hostname="127.0.0.1"), server.wrap_bio(up, down, server_side=True)
    done: set[ssl.SSLObject] = set()
    for _ in range(10):
        for end in ends:
            try:
                end.do_handshake()
                done.add(end)
            except ssl.SSLWantReadError:
                continue
            except ssl.SSLError:
                return False
    return len(done) == 2
