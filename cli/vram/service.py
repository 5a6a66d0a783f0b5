"""The running service, asked by an operator on the same machine."""

from __future__ import annotations

from typing import Any

import httpx

from facesocial.configuration import load_configuration
from facesocial.errors import FaceSocialError, NotReady
from models.store import home
from services.operators import FILE


def address(url: str | None) -> str:
    """`url`, or where the configuration says that the service listens."""
    if url:
        return url.rstrip("/")
    server = load_configuration().server
    host = "127.0.0.1" if server.host in ("0.0.0.0", "::") else server.host  # noqa: S104 — where it listens
    return f"{'https' if server.tls else 'http'}://{f'[{host}]' if ':' in host else host}:{server.port}"


def credentials() -> dict[str, str]:
    """The token of the service of this machine and this model store, if there is one."""
    file = home() / "facesocial" / FILE
    try:
        return {"Authorization": f"Bearer {file.read_text('ascii').strip()}"}
    except OSError:
        return {}


def ask(url: str, path: str) -> list[dict[str, Any]]:
    """The items that the service at `url` answers.

    Raises:
        NotReady: the process that owns the card is not there.
        FaceSocialError: nobody answers there, or not to us.
    """
    try:
        response = httpx.get(f"{url}{path}", headers=credentials(), timeout=10)
        body = response.json()
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        raise FaceSocialError(f"no FaceSocial answers at {url}: {type(error).__name__}") from error
    if response.status_code == httpx.codes.SERVICE_UNAVAILABLE:
        raise NotReady(body["detail"])
    if response.status_code != httpx.codes.OK:
        raise FaceSocialError(f"{response.status_code} {body.get('code')}: {body.get('detail')}")
    items: list[dict[str, Any]] = body["items"]
    return items
