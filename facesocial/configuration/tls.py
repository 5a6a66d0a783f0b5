"""HTTPS: the files it needs, and whether they fit together."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, TypeAlias

from pydantic import AfterValidator, Field, FilePath, model_validator

from facesocial.configuration.section import Section


def _absolute(file: Path) -> Path:
    if not file.is_absolute():
        raise ValueError("must be a full path: workers run in another folder")
    return file


PemFile: TypeAlias = Annotated[FilePath, AfterValidator(_absolute)]


class TlsSettings(Section):
    """HTTPS, TLS 1.3 or later. Full paths of PEM files."""

    certificate: PemFile = Field(description="ours, then those between it and the root")
    key: PemFile = Field(description="of the certificate; without a password")
    client_ca: PemFile | None = Field(default=None, description="who signs clients; named: no client without")

    @model_validator(mode="after")
    def _usable(self) -> TlsSettings:
        self.context()
        return self

    def context(self) -> ssl.SSLContext:
        """TLS 1.3 or later; with `client_ca`, clients must show a certificate that it signed.

        Raises:
            ValueError: a file cannot be read or is no PEM, or the key is not the certificate's or has a password.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        with _blaming("certificate: no certificate in PEM form is in it"):
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_verify_locations(self.certificate)
        with _blaming("key: no private key in PEM form, without a password, is in it"):
            context.load_cert_chain(self.certificate, self.key, password="")  # never ask a terminal for one
        if self.client_ca:
            context.verify_mode = ssl.CERT_REQUIRED
            context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # an intermediate authority is enough
            with _blaming("client_ca: no certificate in PEM form is in it"):
                context.load_verify_locations(self.client_ca)
        return context


@contextmanager
def _blaming(problem: str) -> Iterator[None]:
    """OpenSSL names neither the file nor, for most files, what it lacks."""
    try:
        yield
    except ssl.SSLError as error:
        mismatch = error.reason == "KEY_VALUES_MISMATCH"
        raise ValueError("key: is not that of the first certificate" if mismatch else problem) from error
    except OSError as error:
        raise ValueError(f"{problem.split(':', maxsplit=1)[0]}: cannot be read: {error.strerror}") from error
