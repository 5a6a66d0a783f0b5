"""Who calls: from where, and under which name where one was proven."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final

from pydantic import IPvAnyNetwork
from starlette.types import Scope

from services.identity import Identity

CALLER: Final = "facesocial.caller"
"""Key in the ASGI scope, once the door was passed."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Attributes:
    address: of the connection, or what a trusted proxy says it is; None: that cannot be read.
    identity: None: nobody in particular.
    """

    address: IPv4Address | IPv6Address | None
    identity: Identity | None = None

    @classmethod
    def of(cls, scope: Scope, identity: Identity | None = None) -> Caller:
        """The caller of a request; uvicorn has put the word of trusted proxies into `scope` by now."""
        host = (scope.get("client") or ("",))[0]
        try:
            address = ip_address(host)
        except ValueError:
            return cls(None, identity)
        return cls(getattr(address, "ipv4_mapped", None) or address, identity)

    @property
    def key(self) -> str:
        """Who this is among all callers: what is counted and kept is theirs. Without a name, the address stands."""
        return f"name:{self.identity.name}" if self.identity else f"from:{self.place}"

    @property
    def place(self) -> str:
        """The address; of IPv6 the /64, which one customer has whole. What cannot be read is one place."""
        if isinstance(self.address, IPv6Address):
            return str(ip_network((self.address, 64), strict=False))
        return str(self.address or "unreadable")

    def comes_from(self, networks: Iterable[IPvAnyNetwork]) -> bool:
        """Whether the address is in one of these."""
        return self.address is not None and any(self.address in network for network in networks)
