"""The running service, asked by an operator on the same machine."""

from __future__ import annotations

from typing import Any

import httpx

from facesocial.configuration import load_configuration
from facesocial.errors import FaceSocialError, NotReady


def address(url: str | None) -> str:
    """`url`, or where the configuration says that the service listens."""
    server = load_configuration().server
    return url or f"{'https' if server.tls else 'http'}://{server.host}:{server.port}"


def ask(url: str, path: str) -> list[dict[str, Any]]:
    """The items that the service at `url` answers.

    Raises:
        NotReady: the process that owns the card is not there.
        FaceSocialError: nobody answers there, or not to us.
    """
    try:
        response = httpx.get(f"{url}{path}", timeout=10)
        body = response.json()
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        raise FaceSocialError(f"no FaceSocial answers at {url}: {type(error).__name__}") from error
    if response.status_code == httpx.codes.SERVICE_UNAVAILABLE:
        raise NotReady(body["detail"])
    if response.status_code != httpx.codes.OK:
        raise FaceSocialError(f"{response.status_code} {body.get('code')}: {body.get('detail')}")
    items: list[dict[str, Any]] = body["items"]
    return items
