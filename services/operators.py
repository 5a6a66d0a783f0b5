"""Who is an operator, until there are users: whoever can read a file that only the user of the service can."""

from __future__ import annotations

import hmac
import os
import secrets
from pathlib import Path
from typing import Final

from facesocial.errors import ConfigurationError
from services.identity import Identity

FILE: Final = "operator.token"


def operator_token(folder: Path) -> str:
    """The token in `folder`; made when there is none, with mode 0600. Deleting the file and restarting changes it.

    Raises:
        ConfigurationError: others may read the file, or it cannot be made.
    """
    file = folder / FILE
    try:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as made:
                made.write(secrets.token_urlsafe(32))
        except FileExistsError:
            pass
        if file.stat().st_mode & 0o077:
            raise ConfigurationError(f"{file} must have mode 0600: whoever reads it is an operator")
        return file.read_text("ascii").strip()
    except OSError as error:
        raise ConfigurationError(f"{file} cannot be used: {error.strerror}") from error


OPERATOR: Final = Identity("operator", "admin")


def is_operator(authorization: str, token: str) -> bool:
    """Whether an `Authorization` header carries the token; compared in constant time."""
    scheme, _, given = authorization.partition(" ")
    return scheme.lower() == "bearer" and bool(token) and hmac.compare_digest(given.encode(), token.encode())
