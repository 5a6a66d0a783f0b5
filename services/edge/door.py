"""Who may come in: what is decided by the head of a request alone, before anything of its body is read."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from starlette.datastructures import Headers
from starlette.types import Scope

from facesocial.errors import BadRequest, MethodNotAllowed, Unauthenticated, UnsupportedMediaType
from services.edge.caller import CALLER, Caller
from services.edge.rates import Rates
from services.edge.reply import METHODS
from services.identity import Identity

HOST: Final = re.compile(r"[A-Za-z0-9._-]{1,255}(:\d{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](:\d{1,5})?")
"""A name or an address, and a port (RFC 9110, section 7.2); nothing with a path in it."""

UNSAID: Final = re.compile(r"[\x00-\x20\x7f]")
"""In a path. To Starlette `/metrics` and a line break is `/metrics`, to whoever compares it is not."""

FREE: Final = frozenset({"/", "/livez", "/healthz", "/readyz"})
"""Paths that are not counted: probes come from one address all the time."""

NAMED: Final = frozenset({"/metrics", "/schema.json", "/docs.json"})
"""Paths that tell of the service; nobody in particular does not see them."""

Identify: TypeAlias = Callable[[Headers], Identity | None]
"""Who a request says it is from, and proves it."""


class Door:
    """Called with the scope of a request; gives headers for its answer. Counts first: what is refused counts, too.

    Args:
        rates: how often each may come.
        identify: who that is.
    """

    def __init__(self, rates: Rates, identify: Identify) -> None:
        self._rates = rates
        self._identify = identify

    async def __call__(self, scope: Scope) -> Mapping[str, str]:
        """See the class.

        Raises:
            MethodNotAllowed: one that nothing here takes, whoever asks.
            BadRequest: a path with control characters; no host, several, or nonsense.
            UnsupportedMediaType: a compressed body: nothing is ever unpacked.
            Unauthenticated: the path is for callers with a proven name.
            RateLimited: too many.
        """
        headers, path = Headers(scope=scope), scope["path"]
        identity = self._identify(headers)
        scope[CALLER] = caller = Caller.of(scope, identity)
        free = scope["type"] == "http" and path in FREE
        allowance = None if free else await self._rates.spend(caller, path)
        if scope["type"] == "http" and scope["method"] not in METHODS:
            raise MethodNotAllowed("nothing here takes this method", METHODS)
        if UNSAID.search(path):
            raise BadRequest("a path holds neither spaces nor control characters")
        hosts = headers.getlist("host")
        if len(hosts) > 1 or not all(map(HOST.fullmatch, hosts)) or (not hosts and scope["http_version"] == "1.1"):
            raise BadRequest("one Host, a name or an address")
        if headers.get("content-encoding", "identity").lower() != "identity":
            raise UnsupportedMediaType("the body must not be compressed")
        if path in NAMED and not identity:
            raise Unauthenticated("send a token as bearer")
        return allowance.headers if allowance else {}
