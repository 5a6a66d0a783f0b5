"""Values that need more than a range, each refused in words that say how it is written."""

from __future__ import annotations

import re
from ipaddress import IPv6Interface, ip_interface
from typing import Annotated, Any, Final, TypeAlias
from urllib.parse import parse_qs, urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, IPvAnyNetwork, SecretStr

REDIS_FORMS: Final = (
    "expected redis://[:PASSWORD@]HOST[:PORT][/NUMBER], rediss://… or unix://[:PASSWORD@]/PATH; "
    "in a password / ? # @ : % are written %2F %3F %23 %40 %3A %25"
)


OPTION: Final = re.compile(r"db|ssl_\w+|socket_keepalive|health_check_interval|protocol")
"""In the query of a URL of Redis; others would undo what we rely on: how long it may take, and that it gives bytes."""

ORIGIN: Final = re.compile(r"https?://(?:[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?|\[[0-9a-f:.]+\])(?::[1-9][0-9]{0,4})?")

DEFAULT_PORTS: Final = {"http": 80, "https": 443}


def _like(pattern: str, form: str) -> AfterValidator:
    """The whole text must match; pydantic would show the pattern, not `form`."""

    def check(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError(f"expected {form}")
        return text

    return AfterValidator(check)


def _origin(text: str) -> str:
    """As browsers send it; they leave the usual port out."""
    try:
        parts = urlsplit(text)
        usual = parts.port in (0, DEFAULT_PORTS.get(parts.scheme))
    except ValueError:
        usual = True
    if usual or not ORIGIN.fullmatch(text):
        raise ValueError("expected https://app.example.com: scheme and host in lower case, no usual port, path or *")
    return text


def _exact(given: Any) -> Any:
    if isinstance(given, int):
        raise ValueError("expected an address or a network, as text")  # noqa: TRY004 — pydantic wants it
    try:
        found = ip_interface(given)
    except (TypeError, ValueError):
        return given  # pydantic says so
    if isinstance(found, IPv6Interface) and found.ip.ipv4_mapped:
        raise ValueError("is of IPv4: write it so")
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
        whole = parts.path if parts.scheme == "unix" else parts.hostname and re.fullmatch(r"(/[0-9]*)?", parts.path)
        if parts.fragment or parts.port == 0 or not all(map(OPTION.fullmatch, parse_qs(parts.query))):
            whole = None
    except (TypeError, ValueError, RedisError):
        whole = None
    if not whole:
        raise ValueError(REDIS_FORMS)  # theirs may quote the password
    return url


Network: TypeAlias = Annotated[IPvAnyNetwork, BeforeValidator(_exact), AfterValidator(_someone)]
Origin: TypeAlias = Annotated[str, AfterValidator(_origin)]
PathPrefix: TypeAlias = Annotated[
    str, _like(r"/v1(/[a-z0-9_-]+)+", "a path such as /v1/verify: in lower case, no / at the end, no query")
]
PerMinute: TypeAlias = Annotated[int, Field(ge=1, le=1_000_000)]
RedisUrl: TypeAlias = Annotated[SecretStr, AfterValidator(_connectable)]
Secret: TypeAlias = Annotated[SecretStr, AfterValidator(_long)]
