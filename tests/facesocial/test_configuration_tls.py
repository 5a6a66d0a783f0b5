"""What `server.tls` names is tried when the configuration is read; the file at fault is named."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from facesocial.configuration import load_configuration
from facesocial.errors import ConfigurationError

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `ours` and `other`, self-signed: `.pem` and `.key`; and `none.pem`, which is empty."""
    folder = tmp_path_factory.mktemp("pem")
    for name in ("ours", "other"):
        kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}"]
        files = ["-keyout", str(folder / f"{name}.key"), "-out", str(folder / f"{name}.pem")]
        subprocess.run(["openssl", "req", "-x509", *kind, *files], check=True, capture_output=True)
    (folder / "none.pem").touch()
    return folder


@pytest.fixture
def write(pem: Path, tmp_path: Path):  # type: ignore[no-untyped-def]
    """Writes a configuration file whose `server.tls` names files of `pem`."""

    def write(**names: str) -> Path:
        file = tmp_path / "configuration.yaml"
        file.write_text(f"server:\n  tls: {json.dumps({key: str(pem / name) for key, name in names.items()})}\n")
        return file

    return write


def test_by_variables_and_without(write, pem: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    """Files named one by one, in the file or by variable; `null` takes TLS away again."""
    file = write(certificate="ours.pem", key="ours.key")
    monkeypatch.setenv("FACESOCIAL__SERVER__TLS__CLIENT_CA", str(pem / "other.pem"))
    tls = load_configuration(file).server.tls
    assert tls
    assert (tls.certificate, tls.client_ca) == (pem / "ours.pem", pem / "other.pem")
    monkeypatch.setenv("FACESOCIAL__SERVER__TLS", "null")
    assert load_configuration(file).server.tls is None


@pytest.mark.parametrize(
    ("certificate", "key", "client_ca", "words"),
    [
        ("ours.pem", "other.key", "other.pem", "key: is not that of the first certificate"),
        ("ours.key", "ours.pem", "other.pem", "certificate: no certificate in PEM form is in it"),
        ("none.pem", "ours.key", "other.pem", "certificate: no certificate in PEM form is in it"),
        ("ours.pem", "none.pem", "other.pem", "key: no private key in PEM form, without a password, is in it"),
        ("ours.pem", "ours.key", "none.pem", "client_ca: no certificate in PEM form is in it"),
        ("ours.pem", "ours.key", "other.key", "client_ca: no certificate in PEM form is in it"),
    ],
)
def test_files_that_do_not_fit(write, certificate: str, key: str, client_ca: str, words: str) -> None:  # type: ignore[no-untyped-def]
    """One line, with the place in the file."""
    file = write(certificate=certificate, key=key, client_ca=client_ca)
    with pytest.raises(ConfigurationError) as refused:
        load_configuration(file)
    assert str(refused.value) == f"{file}: line 2: server.tls: {words}"


def test_a_key_that_is_not_known(write) -> None:  # type: ignore[no-untyped-def]
    """What may stand there, as in any section."""
    with pytest.raises(ConfigurationError, match=r"tls\.cert: .* \(allowed here: certificate, key, client_ca\)"):
        load_configuration(write(certificate="ours.pem", key="ours.key", cert="ours.pem"))
