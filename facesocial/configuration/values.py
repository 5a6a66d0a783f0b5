"""Values that need more than a range, each refused in words that say how it is written."""

from __future__ import annotations

import re
from ipaddress import ip_interface
from typing import Annotated, Any, Final, TypeAlias
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, IPvAnyNetwork, SecretStr

REDIS_FORMS: Final = (
    "expected redis://[:PASSWORD@]HOST[:PORT][/NUMBER], rediss://… or unix://[:PASSWORD@]/PATH; "
    "in a password / ? # @ : % are written %2F %3F %23 %40 %3A %25"
)


def _like(pattern: str, form: str) -> AfterValidator:
    """The whole text must match; pydantic would show the pattern, not `form`."""

    def check(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError(f"expected {form}")
        return text

    return AfterValidator(check)


def _exact(given: Any) -> Any:
    try:
        found = ip_interface(given)
    except (TypeError, ValueError):
        return given  # pydantic says so
    if found.ip != found.network.network_address:
        raise ValueError(f"host bits are set: write {found.network} for the network, {found.ip} for one address")
    return given


def _someone(network: IPvAnyNetwork) -> IPvAnyNetwork:
    if network.prefixlen == 0:
        raise ValueError("would trust everyone")
    return network


def _long(secret: SecretStr) -> SecretStr:
    if len(secret.get_secret_value()) < 32:
        raise ValueError("must have at least 32 characters")
    return secret


def _connectable(url: SecretStr) -> SecretStr:
    """What redis-py takes; it would pass over a missing host, a missing path and a database that is no number."""
    from redis.asyncio import ConnectionPool  # takes .3 s
    from redis.exceptions import RedisError

    text = url.get_secret_value()
    try:
        ConnectionPool.from_url(text).make_connection()  # type: ignore[no-untyped-call]  # not connected
        parts = urlsplit(text)
        whole = parts.path if parts.scheme == "unix" else parts.hostname and re.fullmatch(r"(/\d*)?", parts.path)
    except (TypeError, ValueError, RedisError):
        whole = None
    if not whole:
        raise ValueError(REDIS_FORMS)  # theirs may quote the password
    return url


Network: TypeAlias = Annotated[IPvAnyNetwork, BeforeValidator(_exact), AfterValidator(_someone)]
Origin: TypeAlias = Annotated[
    str, _like(r"https?://[a-z0-9.:\[\]-]+", "https://app.example.com: scheme and host in lower case, no path, no *")
]
PathPrefix: TypeAlias = Annotated[
    str, _like(r"/v1(/[a-z0-9_-]+)+", "a path such as /v1/verify: in lower case, no / at the end, no query")
]
PerMinute: TypeAlias = Annotated[int, Field(ge=1, le=1_000_000)]
RedisUrl: TypeAlias = Annotated[SecretStr, AfterValidator(_connectable)]
Secret: TypeAlias = Annotated[SecretStr, AfterValidator(_long)]
