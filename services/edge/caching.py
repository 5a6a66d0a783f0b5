"""What a caller says about keeping the answer."""

from __future__ import annotations

from starlette.datastructures import Headers


def may_be_kept(headers: Headers) -> bool:
    """False: `Cache-Control: no-store` (RFC 9111, 5.2.1.5); neither look for an answer nor keep one."""
    directives = ",".join(headers.getlist("cache-control")).lower().split(",")
    return "no-store" not in {directive.partition("=")[0].strip() for directive in directives}
